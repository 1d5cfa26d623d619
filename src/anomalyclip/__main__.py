"""`python -m anomalyclip` is the command `anomalyclip`."""

from anomalyclip.cli import command

if __name__ == "__main__":
    command()
