"""`python -m mfmarl`, and the `mfmarl` command."""

from mfmarl.cli import main

if __name__ == "__main__":
    main()
