"""`python -m elman`, and `accelerate launch -m elman`."""

from elman.cli.main import main

if __name__ == "__main__":
    main()
