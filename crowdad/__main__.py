"""`python -m crowdad`."""

from crowdad.cli import main

if __name__ == "__main__":
    main()
