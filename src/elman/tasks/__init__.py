"""Floor 6: one package a task, and the registry that finds them.

A task's package hands on `NAME`, `Settings`, `Options` and `Task` (a subclass of `elman.training.task.Task`, which
lists all that a task may be asked); its docstring is the command's help. Heavy imports happen inside functions, so
that help is quick.
"""

from elman.tasks.registry import default_choice, recipe, recipes, register_task, task_module, task_names, task_summary

__all__ = ["default_choice", "recipe", "recipes", "register_task", "task_module", "task_names", "task_summary"]
