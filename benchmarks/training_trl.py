"""TRL's plain SFT script, as its documentation has it: one contender of benchmarks/training.py.

    python benchmarks/training_trl.py TASK.json FOLDER

What the task names is set (steps by one epoch, batch, learning rate, LoRA), all else is TRL's default. The rows come as
tokens with a mask of the completion, so that both contenders see the very same.
"""

import sys
from pathlib import Path

import torch
from datasets import Dataset
from peft import LoraConfig
from training_measure import Clock, Task, read_task, report
from transformers import AutoTokenizer, TrainerCallback
from trl import SFTConfig, SFTTrainer


class Timed(TrainerCallback):
    """Tells the clock of the steps."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def on_train_begin(self, *_: object, **__: object) -> None:
        """Start."""
        self._clock.start()

    def on_step_end(self, *_: object, **__: object) -> None:
        """A step is done."""
        self._clock.lap()


def rows(task: Task) -> Dataset:
    """The training examples as TRL takes rows that are tokens already."""
    return Dataset.from_list(
        [
            {
                "input_ids": example.input_ids,
                "completion_mask": [int(at >= example.prompt_length) for at in range(len(example.input_ids))],
            }
            for example in task.train
        ]
    )


def main(task: Task, folder: Path) -> None:
    """Train and report."""
    torch.set_num_threads(task.threads)
    clock = Clock()
    trainer = SFTTrainer(
        model=task.model,
        processing_class=AutoTokenizer.from_pretrained(task.model),
        train_dataset=rows(task),
        args=SFTConfig(
            output_dir=str(folder),
            num_train_epochs=1,
            per_device_train_batch_size=task.batch_size,
            learning_rate=task.learning_rate,
            use_cpu=True,
            report_to="none",
            disable_tqdm=True,
        ),
        peft_config=LoraConfig(
            r=task.rank,
            lora_alpha=task.alpha,
            lora_dropout=0.0,
            target_modules=task.targets,
            task_type="CAUSAL_LM",
        ),
        callbacks=[Timed(clock)],
    )
    trainer.train()
    report(task, clock, trainer.model)


if __name__ == "__main__":
    main(read_task(Path(sys.argv[1])), Path(sys.argv[2]))
