"""`python -m elman`, and `accelerate launch -m elman`."""

from elman.cli import main

if __name__ == "__main__":
    main()
