"""`python -m anomalyclip` is the command `anomalyclip`."""

from anomalyclip.cli import main

if __name__ == "__main__":
    main()
