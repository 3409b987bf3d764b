"""NDR and PDR by bisection over the offered rate (RFC 2544 26.1; FD.io CSIT).

Pure: `offer(rate)` makes a trial of that rate (0: as fast as the generator can). The rates that
were tried are kept, so that PDR goes on where NDR ended.
"""

import statistics
from dataclasses import dataclass, field

NO_LOSS = 0.0
PARTIAL = 0.001
SLOWEST = 500  # datagrams a second; below it a relay has no rate without loss


@dataclass
class Found:
    pps: float = 0  # offered, datagrams a second
    at_least: bool = False  # the generator could not offer more
    trial: object = None  # the one that passed at this rate
    void: str = ""  # nothing is known: trials did not balance


@dataclass
class Search:
    offer: object
    outputs: int = 1
    tolerance: float = 0.02
    steps: int = 10
    trials: list = field(default_factory=list)

    def try_rate(self, rate):
        """A trial; once more if it is void."""
        for _ in range(2):
            trial = self.offer(rate)
            self.trials.append(trial)
            if not trial.void:
                break
        return trial

    def run(self, allowed, steps=None):
        """The highest rate with at most that share lost."""
        if not any(t.asked == 0 and not t.void for t in self.trials):
            peak = self.try_rate(0)
            if peak.void:
                return Found(void=peak.void)
        peak = next(t for t in self.trials if t.asked == 0 and not t.void)
        for _ in range(steps or self.steps):
            passed, failed = self._bracket(allowed)
            if passed and not failed:
                break
            if passed and passed.offered_pps >= (1 - self.tolerance) * failed.offered_pps:
                break
            rate = self._next(passed, failed, peak)
            if rate < SLOWEST:
                break
            trial = self.try_rate(rate)
            if not trial.void and not trial.reached:
                trial = self.try_rate(rate)
            if trial.void:
                return Found(void=trial.void)
            if not trial.reached and trial.loss <= allowed:
                break  # twice: the generator cannot
        passed, failed = self._bracket(allowed)
        if not passed:
            return Found()
        return Found(passed.offered_pps, not failed or not self._reached_near(passed), passed)

    def _reached_near(self, passed):
        """Whether the best passing rate is the relay's limit and not the generator's."""
        beyond = [t for t in self.trials if not t.void and t.asked > 1.03 * passed.offered_pps]
        return passed.reached or any(t.reached for t in beyond)

    def _bracket(self, allowed):
        good = [t for t in self.trials if not t.void]
        passed = max((t for t in good if t.loss <= allowed), key=lambda t: t.offered_pps,
                     default=None)
        floor = passed.offered_pps if passed else 0
        failed = min((t for t in good if t.loss > allowed and t.offered_pps > floor),
                     key=lambda t: t.offered_pps, default=None)
        return passed, failed

    def _next(self, passed, failed, peak):
        """What the relay managed under overload is the best first guess."""
        capacity = peak.delivered_pps / self.outputs
        if not passed:
            tried = [t.asked for t in self.trials if t.asked]
            return min(0.97 * capacity, 0.9 * peak.offered_pps) if not tried else 0.75 * min(tried)
        middle = (passed.offered_pps + failed.offered_pps) / 2
        return min(middle, 1.2 * passed.offered_pps)


def median(found):
    """Of several searches, by rate; a void one makes the figure void."""
    for one in found:
        if one.void:
            return one
    middle = statistics.median_low([one.pps for one in found])
    return next(one for one in found if one.pps == middle)
