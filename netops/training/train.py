"""Concurrent training of the families, each in a separate process.

A thread that calls :meth:`Workers.train` waits for its process; several threads may call it at once.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from signal import Signals
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

import netops
from netops.compute.cluster import Cluster
from netops.compute.settings import WORKER_WAIT
from netops.config.durations import SECOND
from netops.errors import NetopsError, UsageError, closest
from netops.json_types import JsonDict
from netops.memory import give_back
from netops.models.card import ModelCard, read_card, write_card
from netops.models.card_sections import SearchResult
from netops.models.onnx_file import MODEL_FILE, Scorer
from netops.progress import Progress, say, silent
from netops.telemetry.dataset import Dataset
from netops.threads import cpus
from netops.training.examples import Examples
from netops.training.families.registry import FAMILIES, longest_first
from netops.training.fitting import Job, read_held_out, risks_path, score_rows, write_risks
from netops.training.remote_rows import score_rows_on
from netops.training.search import Trial, TrialCallback, best_of, summary_of
from netops.training.settings import TrainingSettings

#: Seconds for which a fit waits for those whose processes are started already.
_PATIENCE = 5.0
_STEPS = ("load libraries", "fit", "check", "done")


class Workers:
    """The processes that fit; a context manager that ends those it still has.

    There are no more of them than processors: further ones would take memory and end no earlier.

    Parameters
    ----------
    threads : int
        Threads of each fit.
    processes : int, optional
        Maximum processes at the same time; default: as many as there are processors for their threads.
    """

    def __init__(self, threads: int = 1, processes: int | None = None) -> None:
        self.threads, self.processes = threads, processes or max(1, cpus() // threads)
        self._waiting: dict[str, _Worker] = {}
        self._lock = threading.Lock()
        self._turns = _Turns(self.processes)

    def prewarm(self, families: Iterable[str]) -> None:
        """Start the first processes of some families, which import what they need while other work continues."""
        with self._lock:
            for family in longest_first(families):
                _check(family)
                if family not in self._waiting and len(self._waiting) < self.processes:
                    self._waiting[family] = _Worker(family, self.threads)
                    self._turns.expect(family)

    def train(
        self, job: Job, progress: Progress = silent, on_trial: TrialCallback = lambda trial: None
    ) -> ModelCard:
        """Fit in a separate process and wait for it.

        ``on_trial`` is called with each trial of a search. If the process dies in one, another takes over with the
        best hyper-parameters so far.

        Raises
        ------
        NetopsError
            If the fit fails, or its process dies before any trial has ended.
        """
        trials: list[Trial] = []

        def record(trial: Trial) -> None:
            trials.append(trial)
            on_trial(trial)

        try:
            return _with_search(job, self._ask(job, progress, record), trials)
        except _DeathError as death:
            if (best := best_of(trials)) is None:
                raise
            note = f"the search ended in trial {len(trials) + 1}: {death}"
            say(note)
            only = replace(job, params=job.params | best.params, trials=1, budget=None)
            return _with_search(job, self._ask(only, progress, record), trials, note)

    def _ask(self, job: Job, progress: Progress, on_trial: TrialCallback) -> ModelCard:
        with self._turns.turn(job.family):
            with self._lock:
                worker = self._waiting.pop(job.family, None)
            if worker is None or not worker.alive:
                worker = _Worker(job.family, self.threads)
            try:
                return ModelCard.from_dict(worker.ask(job, progress, on_trial))
            finally:
                worker.close()

    def close(self) -> None:
        """End the processes that received no request."""
        with self._lock:
            for worker in self._waiting.values():
                worker.close()
            self._waiting.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Turns:
    """Turns of fits, of which a few run at the same time; the one that takes longest is next.

    Families whose processes wait already come before others, but only for a while: their jobs may never come.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._expected: set[str] = set()
        self._asking: list[str] = []
        self._changed = threading.Condition()

    def expect(self, family: str) -> None:
        """Note that the process of a family waits for its job."""
        with self._changed:
            self._expected.add(family)

    @contextlib.contextmanager
    def turn(self, family: str) -> Iterator[None]:
        """Wait for a turn, and end it."""
        with self._changed:
            self._asking.append(family)
            if not self._changed.wait_for(lambda: self._is_next(family), _PATIENCE):
                self._expected &= set(self._asking)
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._is_next(family))
            self._asking.remove(family)
            self._expected.discard(family)
            self._free -= 1
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._free += 1
                self._changed.notify_all()

    def _is_next(self, family: str) -> bool:
        if family in self._expected:
            asking = [name for name in self._asking if name in self._expected]
            return self._free > 0 and longest_first(asking)[0] == family
        # Each expected family needs a turn.
        asking = [name for name in self._asking if name not in self._expected]
        return self._free > len(self._expected) and longest_first(asking)[0] == family


def _with_search(job: Job, card: ModelCard, trials: list[Trial], note: str = "") -> ModelCard:
    """Add the trials to the card, and a note if the search had no result."""
    if not trials:
        if job.trials == 1:
            return card
        note = f"{job.family}: no search: too few training incidents to hold some out for evaluating trials"
        search: SearchResult = {"note": note}
    else:
        search = summary_of(trials, note)
        note = (
            f"{job.family}: {search['trials']} trials, average precision {search['configured']:.3f} as configured, "
        )
        note += f"{search['best']:.3f} at best (trial {search['chosen']})"
    say(note)
    card = card.updated(search=search)
    write_card(Path(job.out), card)
    return card


class _DeathError(NetopsError):
    """The process of a fit has ended without a response."""


class _Worker:
    """One process, spoken to in lines of JSON."""

    def __init__(self, family: str, threads: int) -> None:
        self.family = family
        root = str(Path(netops.__file__).resolve().parents[1])
        path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH", ""))))
        quiet = {"PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}
        # Closed with the process; read for its final messages.
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        command = [sys.executable, "-m", "netops.training.worker", family, str(threads)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=os.environ | quiet,
            text=True,
            encoding="utf-8",
        )

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, job: Job, progress: Progress, on_trial: TrialCallback) -> JsonDict:
        """Send a job and wait for its card."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(asdict(job)) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._death() from None
        shown = _Shown(job, progress)
        for line in self._process.stdout:
            answer = json.loads(line)
            if "card" in answer:
                shown.ends()
                return answer["card"]
            if "error" in answer:
                raise NetopsError(f"training {self.family}: {answer['error']}") from RuntimeError(answer["trace"])
            if "trial" in answer:
                on_trial(shown.tried(Trial(**answer["trial"])))
            else:
                shown.does(answer["doing"])
        raise self._death()

    def _death(self) -> _DeathError:
        code = self._process.wait()
        how = f"exit code {code}" if code >= 0 else f"signal {_signal(-code)}"
        why = (
            "it may have run out of memory: set training.max_rows lower"
            if code in (-9, 137)
            else self._last_words()
        )
        return _DeathError(f"training {self.family}: its process ended by {how}; {why}")

    def _last_words(self) -> str:
        self._errors.seek(0)
        lines = [line.strip() for line in self._errors if line.strip()]
        return lines[-1][:200] if lines else "it printed nothing"

    def close(self) -> None:
        """End the process."""
        if self.alive:
            self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._errors):
            if pipe is not None:
                # Flush what an ended process did not read.
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


class _Shown:
    """The progress of one family, in steps, or in trials of a search."""

    def __init__(self, job: Job, progress: Progress) -> None:
        self._what, self._progress = f"train {job.family}", progress
        self._total = len(_STEPS) + (job.trials or 1) - 1
        self._trials: list[Trial] = []

    def does(self, step: str) -> None:
        self._report(_STEPS.index(step), "")

    def tried(self, trial: Trial) -> Trial:
        self._trials.append(trial)
        best = best_of(self._trials)
        shown_trial = (
            f": trial {trial.number}, best {best.average_precision:.3f}" if best else f": trial {trial.number}"
        )
        self._report(_STEPS.index("fit"), shown_trial)
        return trial

    def ends(self) -> None:
        self._progress(self._total, self._total, self._what)

    def _report(self, step: int, text: str) -> None:
        done = min(step + len(self._trials), self._total)
        self._progress(done, self._total, self._what + text)


def train_family(
    examples: Examples,
    family: str,
    settings: TrainingSettings,
    out: Path,
    *,
    network: str,
    workers: Workers | None = None,
    cluster: Cluster | None = None,
    progress: Progress = silent,
    on_trial: TrialCallback = lambda trial: None,
) -> ModelCard:
    """Train one family and save it as a model folder.

    Parameters
    ----------
    examples : Examples
        What to fit on (:func:`~netops.training.examples.prepare_examples`).
    family : str
        A name of the registry.
    settings : TrainingSettings
    out : Path
        Model folder to write: ``model.onnx``, ``card.json``; it appears when all is well.
    network : str
        Name of the network.
    workers : Workers, optional
        Where processes wait that have been started ahead.
    cluster : Cluster, optional
        Whose workers score, and fit what does not fit the process.
    progress : Progress
    on_trial : callable
        Called with each trial of a search.

    Returns
    -------
    ModelCard
        Without threshold and evaluation. The risks over validation and test split are stored with the examples:
        :func:`split_risks`.

    Raises
    ------
    UsageError
        For an unknown family.
    NetopsError
        If the fit fails or its process dies.
    """
    _check(family)
    params = asdict(settings.family(family))  # type: ignore[call-overload]
    job = Job(
        str(examples.folder),
        network,
        family,
        params,
        settings.seed,
        settings.threads,
        str(out),
        trials=settings.trials or (None if settings.budget else 1),
        budget=settings.budget and settings.budget / SECOND,
        memory_values=settings.memory_values,
        scheduler=cluster.address if cluster else None,
        worker_wait=cluster.worker_wait if cluster else WORKER_WAIT,
    )
    give_back()
    if workers is not None:
        return workers.train(job, progress, on_trial)
    with Workers(settings.threads) as own:
        return own.train(job, progress, on_trial)


def split_risks(
    examples: Examples, model: Path, split: str, cluster: Cluster | None = None
) -> npt.NDArray[np.float64]:
    """Return the risks of a model over ``validation`` or ``test``, in the order of the evaluation split.

    They are read if training (or an earlier call) has stored them; for the validation split of a cross-fitted model
    they are also in its folder. Otherwise the split is scored, with any model whose features exist; on a cluster if
    there is one.

    Returns
    -------
    float64 array, rows of the part
        NaN for rows inside incidents.
    """
    path = risks_path(examples.folder, read_card(model).version, split)
    if not path.is_file():
        held_out = read_held_out(model, examples.info["data"]["fingerprint"]) if split == "validation" else None
        risks = _scored(examples, model, split, cluster) if held_out is None else held_out
        write_risks(path, risks)
    return np.load(path, allow_pickle=False)


def _scored(examples: Examples, model: Path, split: str, cluster: Cluster | None) -> npt.NDArray[np.float64]:
    scorer = Scorer(model)
    dataset, rows = Dataset.open(Path(examples.sources[split])), np.array(examples.array(split))
    if cluster is None:
        return score_rows(scorer.score, dataset, scorer.card.features, rows)
    file = (model / MODEL_FILE).read_bytes()
    return score_rows_on(cluster, file, dataset, scorer.card.features, rows, examples.folder)


def _check(family: str) -> None:
    if family not in FAMILIES:
        raise UsageError(f"no model family '{family}'{closest(family, FAMILIES)}")


def _signal(number: int) -> str:
    try:
        return f"{number} ({Signals(number).name})"
    except ValueError:
        return str(number)
