from modeltraces.cli import main

main()
