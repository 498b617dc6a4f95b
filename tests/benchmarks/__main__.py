"""``python -m tests.benchmarks``: every benchmark, one after the other."""

import platform

import torch

from tests.benchmarks import scoring, training


def main() -> None:
    threads = torch.get_num_threads()
    print(f"torch {torch.__version__}, {threads} threads, {platform.processor() or 'processor'}")
    training.main()
    scoring.main()


if __name__ == "__main__":
    main()
