"""Start the local AWS endpoint from the command line."""

from localcloud.aws.server import main

if __name__ == "__main__":
    main()
