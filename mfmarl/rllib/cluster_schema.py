"""What Ray itself says of a cluster file of `ray up`, without a cloud and without a network."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import jsonschema
import ray.autoscaler
from ray.autoscaler._private.util import prepare_config, validate_config

from mfmarl.errors import UserError

SCHEMA = Path(ray.autoscaler.__file__).with_name("ray-schema.json")


def check_cluster_file(config: Mapping[str, Any], source: str) -> None:
    """Refuse what `ray up` would refuse.

    Raises:
        UserError: names the key and what Ray says of it.
    """
    told = io.StringIO()
    logging.getLogger("ray.autoscaler").setLevel(logging.WARNING)
    try:
        with redirect_stdout(told), redirect_stderr(told):
            # as it is, for messages that name the key; then with the provider's defaults, as `ray up` does
            jsonschema.validate(config, json.loads(SCHEMA.read_text(encoding="utf-8")))
            validate_config(prepare_config(dict(config)))
    except jsonschema.ValidationError as error:
        raise UserError(f"{source}: {_named(error)}{error.message}") from None
    except SystemExit:
        raise UserError(f"{source}: {' '.join(told.getvalue().split())[:300]}") from None
    except Exception as error:
        # Ray raises what it comes to: KeyError, ValueError, click's own
        words = " ".join(str(error).split()) or " ".join(told.getvalue().split())
        raise UserError(f"{source}: {type(error).__name__}: {words[:300]}") from None


def _named(error: jsonschema.ValidationError) -> str:
    key = ".".join(map(str, error.absolute_path))
    return f"{key}: " if key else ""
