"""What the checks of telemetry found."""

from dataclasses import asdict, dataclass
from typing import Any

from netops.errors import NetopsError

REFUSE, WARN, OFF = "refuse", "warn", "off"


@dataclass(frozen=True)
class Finding:
    """One thing that looks wrong.

    Attributes
    ----------
    check : str
        The check's key in the configuration.
    action : str
        ``refuse`` or ``warn``.
    subject : str
        The metric, device or file it is about.
    message : str
        What is wrong, in a line.
    """

    check: str
    action: str
    subject: str
    message: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.message} ({self.check})"


@dataclass(frozen=True)
class CheckReport:
    """All findings, those that refuse first.

    Attributes
    ----------
    where : str
        What was checked.
    findings : tuple of Finding
    passed : tuple of str
        Checks that found nothing.
    """

    where: str
    findings: tuple[Finding, ...]
    passed: tuple[str, ...]

    @property
    def refused(self) -> bool:
        """Whether the telemetry must not be learned from."""
        return any(finding.action == REFUSE for finding in self.findings)

    def lines(self) -> list[str]:
        """Write it as text, a finding a line."""
        return [f"{finding.action}: {finding}" for finding in self.findings]

    def to_dict(self) -> dict[str, Any]:
        """Write it as JSON takes it."""
        findings = [asdict(finding) for finding in self.findings]
        return {"where": self.where, "refused": self.refused, "findings": findings, "passed": list(self.passed)}

    def raise_if_refused(self) -> None:
        """Refuse the telemetry.

        Raises
        ------
        NetopsError
            Naming the first reason, how many more there are and the key that would let it pass.
        """
        reasons = [finding for finding in self.findings if finding.action == REFUSE]
        if reasons:
            more = f", and {len(reasons) - 1} more" if len(reasons) > 1 else ""
            key = f"telemetry: checks: {reasons[0].check}: warn"
            raise NetopsError(f"{self.where}: {reasons[0]}{more}; mend it, or set {key}")
