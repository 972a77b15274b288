"""Findings of the telemetry checks."""

from dataclasses import asdict, dataclass

from netops.errors import NetopsError
from netops.json_types import JsonDict

REFUSE, WARN, OFF = "refuse", "warn", "off"


@dataclass(frozen=True)
class Finding:
    """One problem in the telemetry.

    Attributes
    ----------
    check : str
        The check's key in the configuration.
    action : str
        ``refuse`` or ``warn``.
    subject : str
        The metric, device or file it is about.
    message : str
        One line that describes the problem.
    """

    check: str
    action: str
    subject: str
    message: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.message} ({self.check})"


@dataclass(frozen=True)
class CheckReport:
    """All findings, those with the action ``refuse`` first.

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
        """Whether the telemetry must not be used for training."""
        return any(finding.action == REFUSE for finding in self.findings)

    def lines(self) -> list[str]:
        """Format it as text, one finding per line."""
        return [f"{finding.action}: {finding}" for finding in self.findings]

    def to_dict(self) -> JsonDict:
        """Return it as JSON-compatible values."""
        findings = [asdict(finding) for finding in self.findings]
        return {"where": self.where, "refused": self.refused, "findings": findings, "passed": list(self.passed)}

    def raise_if_refused(self) -> None:
        """Raise if a finding refuses the telemetry.

        Raises
        ------
        NetopsError
            Names the first finding, the number of others, and the setting that accepts them.
        """
        reasons = [finding for finding in self.findings if finding.action == REFUSE]
        if reasons:
            more = f", and {len(reasons) - 1} more" if len(reasons) > 1 else ""
            key = f"telemetry: checks: {reasons[0].check}: warn"
            raise NetopsError(f"{self.where}: {reasons[0]}{more}; fix it, or set {key}")
