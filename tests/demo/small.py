"""`modeltraces demo` with a tenth of the history: all of it takes two cores most of a minute."""

from modeltraces.cli import main
from modeltraces.demo import seeding

RUNS = 20_000

if __name__ == "__main__":
    assert seeding.seed_history.__kwdefaults__ is not None
    seeding.seed_history.__kwdefaults__["runs"] = RUNS
    main()
