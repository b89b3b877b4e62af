"""The SageMaker payload: LoRA fine-tuning and its evaluation. Never imports Dagster."""
