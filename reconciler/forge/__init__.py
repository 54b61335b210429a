"""GitHub, GitLab and Gitea: comments on pull requests, commit statuses, verified webhook deliveries."""

from reconciler.forge.client import Forge, open_forge
from reconciler.forge.comments import Comment, hidden_line
from reconciler.forge.signatures import Other, Push, delivery
from reconciler.forge.states import State
from reconciler.forge.targets import Kind, Target, find

__all__ = [
    "Comment",
    "Forge",
    "Kind",
    "Other",
    "Push",
    "State",
    "Target",
    "delivery",
    "find",
    "hidden_line",
    "open_forge",
]
