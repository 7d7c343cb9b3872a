"""What can go wrong between here and a hub, each in one line that says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from elman.errors import UserError, optional_imports
from elman.hub.address import HubAddress

_TRANSPORT = frozenset({"httpx", "httpx2", "requests", "urllib3"})
_NONSENSE = (ValueError, KeyError, TypeError, AttributeError, AssertionError, RuntimeError)
"""What the hub's own library raises on answers that it does not expect."""
_LOG_IN = "log in with 'hf auth login', or set HF_TOKEN"


class UnreachableError(UserError):
    """No hub answered: there is no network, or HF_HUB_OFFLINE asks for none."""


def hub_url() -> str:
    """The hub in use: HF_ENDPOINT, or the public one."""
    with optional_imports():
        from huggingface_hub import constants

    return constants.ENDPOINT


@contextmanager
def hub_failures(address: HubAddress, doing: str) -> Iterator[None]:
    """Turn what goes wrong inside into one line.

    Arguments:
        doing: what was tried, for the message: "downloaded".

    Raises:
        UnreachableError: no hub answered.
        UserError: it answered that there is no such model, that it is not allowed, or nothing that makes sense.
    """
    with optional_imports():
        from huggingface_hub import errors

    try:
        yield
    except UserError:
        raise
    except errors.OfflineModeIsEnabled as error:
        raise UnreachableError("HF_HUB_OFFLINE is set, so that no hub is asked") from error
    except errors.GatedRepoError as error:
        raise UserError(
            f"{address} is open only to those whom its owner lets in; ask on its page, and {_LOG_IN}"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise UserError(f"{address} has no version {address.revision!r}; leave it out for the newest") from error
    except errors.RepositoryNotFoundError as error:
        raise UserError(
            f"{hub_url()} shows no model {address.repository}; check the name, or if it is private {_LOG_IN}"
        ) from error
    except errors.LocalEntryNotFoundError as error:  # it was to be downloaded, and that went wrong
        raise _unreachable(_transport(error) or error) from error
    except errors.EntryNotFoundError as error:
        raise UserError(f"{address} changed while it was read, or lacks a file that it lists; try again") from error
    except errors.LocalTokenNotFoundError as error:
        raise UserError(f"{address} cannot be {doing} without an account; {_LOG_IN}") from error
    except errors.HfHubHTTPError as error:
        raise _answered(address, doing, error) from error
    except Exception as error:
        if found := _transport(error):
            raise _unreachable(found) from error
        if isinstance(error, OSError):
            at = f" ({error.filename})" if error.filename else ""
            reason = f"{_first_line(error)}{at}; check the disk's space and permissions"
        elif isinstance(error, _NONSENSE):
            reason = (
                f"{hub_url()} answers as no hub does ({_first_line(error) or type(error).__name__}); check HF_ENDPOINT"
            )
        else:
            raise
        raise UserError(f"{address} cannot be {doing}: {reason}") from error


def _answered(address: HubAddress, doing: str, error: Exception) -> UserError:
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", 0)
    if status in (401, 403):
        return UserError(f"{address} may not be {doing} with this account; {_LOG_IN}, with a token that may do that")
    if status == 429:
        return UserError(f"{hub_url()} answers no more requests for now (429); try again later, and {_LOG_IN}")
    reason = getattr(error, "server_message", None) or _first_line(error)
    return UserError(f"{address} cannot be {doing}: the hub answered {status or 'an error'}, {reason}; try again later")


def _transport(error: BaseException) -> BaseException | None:
    """What kept the hub from being reached, in an error or in what it was raised from."""
    cause: BaseException | None = error
    while cause is not None:
        if type(cause).__module__.partition(".")[0] in _TRANSPORT or isinstance(cause, ConnectionError):
            return cause
        cause = cause.__cause__
    return None


def _unreachable(error: BaseException) -> UnreachableError:
    return UnreachableError(f"{hub_url()} cannot be reached: {_first_line(error) or type(error).__name__}")


def _first_line(error: BaseException) -> str:
    lines = str(error).replace("`", "'").strip().splitlines()
    return lines[0][:200].rstrip(".") if lines else ""
