"""What a process has taken of the processor: unlike the clock's, this time does not pass while others have the machine."""

import os
from pathlib import Path


def processor_seconds(process: int) -> float:
    """Of a process by its id. Raises FileNotFoundError or ProcessLookupError when it has ended."""
    # Behind the name in parentheses, which may hold spaces: user and system time are fields 14 and 15 of all.
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
