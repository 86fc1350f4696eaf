"""What every page says to admins and owners while the gateway cannot record as it should: what happens, why, and what to do."""

from datetime import tzinfo

from modeltraces.gateway.recorder import Pressure
from modeltraces.web.contexts import Alarm
from modeltraces.web.formatting import count, instant, size


def alarm_of(pressure: Pressure | None, refused: int, zone: tzinfo, now_us: int) -> Alarm | None:
    """`refused`: how many recorded calls are set aside because the store refused them."""
    if pressure is None:
        return _of_refused(refused) if refused else None

    def since(at_us: int | None) -> str:
        return "" if at_us is None else f" since {instant(at_us, zone, now_us=now_us)}"

    happens = "are refused with HTTP 503" if pressure.refuses else "are served unrecorded"
    if pressure.is_full or pressure.trouble:
        title = f"The journal of recorded calls {'cannot be written' if pressure.trouble else 'is full'}."
        what = f"Calls through the gateway {happens}{since(pressure.missed_since_us)}"
        what += f" ({count(pressure.missed)} so far)." if pressure.missed else "."
    else:
        share = min(99, pressure.held_bytes * 100 // pressure.max_bytes)
        title = f"The journal of recorded calls is {share}% full: {size(pressure.held_bytes)} wait for the store."
        what = f"When it is full, calls through the gateway {happens}."
    if pressure.trouble:
        why = (
            f"The system says: {pressure.trouble}. Make room on the disk of the data directory, and let this server write "
            "to its folder journal/; then it goes on by itself."
        )
    elif pressure.store_away_since_us is not None:
        why = (
            f"The store has taken nothing{since(pressure.store_away_since_us)}: bring it back (the server's log and "
            "/readyz say what is wrong), or give the journal more room with MODELTRACES_GATEWAY_JOURNAL_MEGABYTES."
        )
    else:
        why = (
            "Calls come faster than the store takes them: give it more power, or the journal more room with "
            "MODELTRACES_GATEWAY_JOURNAL_MEGABYTES."
        )
    return Alarm(title, f"{what} {why}")


def _of_refused(refused: int) -> Alarm:
    calls = "a recorded call" if refused == 1 else f"{count(refused)} recorded calls"
    return Alarm(
        f"The store refused {calls}.",
        "What was refused is missing among the runs, and kept in the folder journal/refused/ of the data directory; Rejected and "
        "the server's log say why. To try it again, stop the server, move the files into journal/, and start it. This goes away "
        "with the files.",
    )
