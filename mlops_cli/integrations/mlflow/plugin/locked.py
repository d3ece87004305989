"""What every call of MLflow goes through: one thread at a time, our errors as MLflow's."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from mlops_cli.errors import MlopsError
from mlops_cli.integrations.mlflow.plugin.opened import translated

Method = TypeVar("Method", bound=Callable[..., Any])


def locked(method: Method) -> Method:
    """Return the method of a store, which has `opened`, so that it holds the lock of its book."""

    @wraps(method)
    def within(store: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            with store.opened.lock:
                return method(store, *args, **kwargs)
        except MlopsError as exc:
            raise translated(exc) from exc

    return cast(Method, within)
