"""Alerts on the state of an environment: they go on while it is not known, and begin only on what is.

Such an alert has a direct part, judged on levels that are carried over while the environment is not read, and may have
a proof, which looks back: nothing was acknowledged, the queue did not shrink. An alert begins when both hold and the
environment has been read all the time the proof looks back. One that fires goes on as long as the direct part holds and
the proof cannot be judged: during an outage, and after it until the proof has been seen through.

That means read by the exporter and seen by Prometheus: whoever first looks at a queue sees nothing acknowledged.
"""

from exporter.mixin.promql import duration
from exporter.mixin.rules.recordings import KNOWN, ON


def held(alert: str, direct: str, proof: str = "", *, seconds: float, needs: str = "") -> str:
    """The expression of such an alert.

    Args:
        alert: Its name.
        direct: What is judged at once; its value is the alert's.
        proof: What must hold beside it, if anything.
        seconds: How long the environment must have been read before the alert can be judged.
        needs: A series without which the proof cannot be judged.
    """
    judged = f"min_over_time({KNOWN}[{duration(seconds)}]) == 1"
    if proof:
        # Where Prometheus has just begun to see an environment, or was away, so little says nothing.
        judged = f"{judged} and {ON} {KNOWN} offset {duration(seconds)}"
    if needs:
        judged = f"{judged} and {ON} {needs}"
    firing = f'ALERTS{{alertname="{alert}", alertstate="firing"}}'
    proven = f"{indented(proof)}\n  and {ON} ({judged})" if proof else f"  {judged}"
    goes_on = f"{firing} unless {ON} ({judged})"
    return f"{direct}\nand {ON} (\n{proven}\n  or {goes_on}\n)"


def indented(text: str) -> str:
    """The lines of a text, two spaces further in."""
    return "\n".join(f"  {line}" for line in text.splitlines())
