"""What the tutorials in ``notebooks/tutorials`` begin with, and the drawings that explain ε.

from flip_sdk import tutorials

lesson = tutorials.begin(1)       # your project where its budget covers the lesson, else made-up people
lesson.project.count(epsilon=0.5)

tutorials.sliders(tutorials.noisy_count, epsilon=(0.1, 1.0), persons=(20, 200))

A tutorial that has run once runs again: when the budget is spent, it goes on with made-up people and says so.
"""

from flip_sdk.tutorials.beginning import Lesson, begin, contents
from flip_sdk.tutorials.listed import TUTORIALS, Tutorial
from flip_sdk.tutorials.noise import many_questions, noisy_count, with_and_without
from flip_sdk.tutorials.sliders import Sliders, sliders

__all__ = [
    "TUTORIALS",
    "Lesson",
    "Sliders",
    "Tutorial",
    "begin",
    "contents",
    "many_questions",
    "noisy_count",
    "sliders",
    "with_and_without",
]
