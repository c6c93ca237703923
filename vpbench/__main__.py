"""`python -m vpbench`."""

from vpbench.cli import main

if __name__ == "__main__":
    main()
