"""Undocumented parts of Streamlit that the app uses.

Only this module of the app may use them; tests/test_architecture.py checks that. Checked with
Streamlit 1.67 and Starlette 1.10. Style sheets also select elements by ``data-testid``, which is
not documented either; the browser tests check the effect.
"""

import asyncio
import os
import threading
import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs

import click
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartParser
from streamlit import config
from streamlit.delta_generator import DeltaGenerator
from streamlit.errors import FragmentHandledException
from streamlit.runtime import Runtime
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue
from streamlit.runtime.fragment import MemoryFragmentStorage
from streamlit.runtime.media_file_manager import MediaFileManager
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import (
    RerunData,
    RerunException,
    ScriptRunner,
    get_script_run_ctx,
)
from streamlit.runtime.scriptrunner_utils.script_requests import ScriptRequests, ScriptRequestType
from streamlit.runtime.state import SessionState
from streamlit.runtime.state.query_params import QueryParams, _coerce_value_for_query_url
from streamlit.runtime.uploaded_file_manager import UploadedFileRec

from vae_core.basics.errors import UserError

__all__ = [
    "MOST_UPLOADED_BYTES",
    "REFUSAL",
    "DeltaGenerator",
    "FragmentHandledException",
    "RerunException",
    "SettingError",
    "close_lost_sessions",
    "draw_unseen",
    "forget_uploads",
    "has_server",
    "session_id",
    "settings_of_environment",
    "take_refusal",
]

# DeltaGenerator: the type of a container, used in annotations only. If Streamlit moves it, only
# this import breaks.

# FragmentHandledException: raised by a fragment whose error Streamlit has already reported. If
# Streamlit removes it, `errors.guard` reports such an error a second time.

# RerunException: ends a script that is drawn again at once. If Streamlit moves it, only this import
# breaks.

# spool_max_size: Streamlit's server parses uploads with Starlette, which writes a file of more than
# a megabyte to a temporary file. If Starlette removes the attribute, uploaded images are written to
# disk again, contrary to `app.parts.text.PRIVACY`, and the test of this module fails.
MultiPartParser.spool_max_size = 2**40

# ---- messages to the browser

_clear_messages = ForwardMsgQueue.clear
_NO_FRAGMENT = "no fragment has this name"


def _keep_messages_of_the_page(
    queue: ForwardMsgQueue,
    retain_lifecycle_msgs: bool = False,
    fragment_ids_this_run: list[str] | None = None,
) -> None:
    """Keep all unsent messages when a fragment is drawn again.

    Streamlit drops those of the fragment, but keeps those of fragments inside and of elements that
    follow. If they reach the browser before the fragment is drawn, it lacks the places in front of
    them: "Bad delta path index". The page then stays broken. The browser can well do with a state
    of the fragment that the next messages replace.
    """
    if fragment_ids_this_run is not None:
        fragment_ids_this_run = [_NO_FRAGMENT]
    _clear_messages(queue, retain_lifecycle_msgs, fragment_ids_this_run)


ForwardMsgQueue.clear = _keep_messages_of_the_page  # type: ignore[method-assign]


# ---- fragments of a page that was left

_run_script = ScriptRunner._run_script
_request = ScriptRequests._request_rerun_locked


def _run_unless_left(runner: ScriptRunner, rerun: RerunData) -> None:
    """Run a script, but no fragment of a page that the session has left.

    A fragment that ticks may ask for its turn while the next page is drawn. Streamlit then draws
    it after that page, and the browser empties the page, as it does for every change of page: the
    next message to it is "Bad delta path index", and it stays blank.
    """
    shown = runner._get_script_run_ctx().page_script_hash
    asked = rerun.page_script_hash
    if not (rerun.fragment_id_queue and shown and asked and asked != shown):
        _run_script(runner, rerun)


def _request_unless_left(requests: ScriptRequests, rerun: RerunData) -> bool:
    """Take a request, but no fragment's if another page was asked for and is not begun yet.

    Streamlit would join both requests and draw the page of the later one, so a click in the
    navigation would be lost.
    """
    pending = requests._rerun_data if requests._state is ScriptRequestType.RERUN else None
    leaves = (
        pending is not None
        and not pending.fragment_id_queue
        and pending.page_script_hash not in ("", rerun.page_script_hash)
    )
    return True if rerun.fragment_id and leaves else _request(requests, rerun)


ScriptRunner._run_script = _run_unless_left  # type: ignore[method-assign]
ScriptRequests._request_rerun_locked = _request_unless_left  # type: ignore[method-assign]


# ---- the address

_correct = QueryParams.set_corrected_value


def _correct_what_is_wrong(params: QueryParams, name: str, value: Any, kind: str) -> None:
    """Tell the browser the value of a widget in the address, unless the browser has just said it.

    Streamlit repeats it at every change. When the processor is busy, the answer to one press of a
    key arrives after the next press and puts the former value into the address, where it stays.
    """
    context = get_script_run_ctx(suppress_warning=True)
    said = parse_qs(context.query_string, keep_blank_values=True) if context else {}
    wanted = _coerce_value_for_query_url(value, kind)
    if said.get(name) == ([wanted] if isinstance(wanted, str) else wanted):
        params.set_with_no_forward_msg(name, wanted)
    else:
        _correct(params, name, value, kind)


QueryParams.set_corrected_value = _correct_what_is_wrong  # type: ignore[method-assign]


# ---- sessions


def has_server() -> bool:
    """Whether a server runs in this process. ``AppTest`` has an imitation only."""
    return Runtime.exists() and type(Runtime.instance()) is Runtime


def session_id() -> str | None:
    """Return the id of the session that this thread draws a page for; None in other threads."""
    context = get_script_run_ctx(suppress_warning=True)
    return context.session_id if context else None


def close_lost_sessions() -> set[str]:
    """Close sessions that a browser cannot return to any more; return the ids of all others.

    A session without connection can be returned to for ``server.disconnectedSessionTTL`` seconds.
    Streamlit then keeps its memory until another browser connects or disconnects. Files of sessions
    that have gone are removed too.
    """
    runtime = Runtime.instance()
    manager: Any = runtime._session_mgr

    async def close() -> set[str]:
        runtime.media_file_mgr.remove_orphaned_files()
        for _, lost in manager._session_storage._cache.expire():
            lost.session.shutdown()
            lost.session.session_state.clear()
            _refused.discard(lost.session.id)
        return {each.session.id for each in manager.list_sessions()}

    # The managers of sessions may be used in the thread of the server only.
    return asyncio.run_coroutine_threadsafe(close(), runtime._get_async_objs().eventloop).result()


def draw_unseen(session: str, name: str, page: str, query: str, seconds: float) -> None:
    """Run the script of a page without showing it, so that its results are in the caches.

    If Streamlit changes how it runs scripts, the browser test of a talk fails.

    Args:
        session: id of the session whose app is drawn.
        name: id of the session that the script believes to be of.
        page: path of the page; empty for the first one.
        query: its parameters, URL-encoded.
        seconds: how long to wait for the script before it is stopped.
    """
    runtime = Runtime.instance()
    shown: Any = runtime.get_app_session(session)
    if shown is None:
        return
    main, cache, loop = (
        shown._script_data.main_script_path,
        shown._script_cache,
        asyncio.new_event_loop(),
    )
    ended = threading.Event()
    runner = ScriptRunner(
        session_id=name, main_script_path=main, session_state=SessionState(),
        uploaded_file_mgr=shown._uploaded_file_mgr, script_cache=cache,
        initial_rerun_data=RerunData(query_string=query, page_name=page), user_info={},
        fragment_storage=MemoryFragmentStorage(), pages_manager=PagesManager(main, cache),
        event_loop=loop,
    )  # fmt: skip

    def note(_runner: Any, event: Any, **_about: Any) -> None:
        if event.name == "SHUTDOWN":
            ended.set()

    runner.on_event.connect(note, weak=False)
    runner.start()
    if not ended.wait(seconds):
        runner.request_stop()
        ended.wait()
    files: Any = (runtime.media_file_mgr, runtime.dataframe_source_mgr)
    files[0].clear_session_refs(name)
    files[1].clear_all_for_session(name)
    loop.close()


# ---- files and downloads

KEPT_FILE = 10.0
"""Seconds in which a download still works after its button was drawn again."""

_left_since: dict[str, float] = {}  # by the names of files, and of what makes them
_inactive_files = MediaFileManager._get_inactive_file_ids


def _is_left(name: str, now: float) -> bool:
    """Whether no page has had the file for some time; to be called again and again."""
    return now - _left_since.setdefault(name, now) > KEPT_FILE


def _long_inactive_files(manager: MediaFileManager) -> set[str]:
    """Return the files that no page has had for some time.

    A download that is made when it is asked for has no place on a page. Streamlit deletes its file
    while two other scripts end, which may be before the browser fetches it.
    """
    now, inactive = time.monotonic(), _inactive_files(manager)
    known = manager._file_metadata.keys() | manager._deferred_callables.keys()
    for name in _left_since.keys() - known | manager._file_metadata.keys() - inactive:
        _left_since.pop(name, None)
    return {name for name in inactive if _is_left(name, now)}


def _forget_left_makers(manager: MediaFileManager) -> None:
    """Forget what makes the file of a download some time after its button was drawn again.

    Streamlit forgets it at once and names the new one differently, so that a click that comes
    before the browser has the new button fails: on a page that draws itself again twice a second,
    many do.
    """
    now, places = time.monotonic(), manager._files_by_session_and_coord.values()
    drawn = {name for files in places for name in files.values()}
    for name in list(manager._deferred_callables):
        if name in drawn:
            _left_since.pop(name, None)
        elif _is_left(name, now):
            manager._drop_deferred_id(name)


MediaFileManager._get_inactive_file_ids = _long_inactive_files  # type: ignore[method-assign]
MediaFileManager._remove_orphaned_deferred_callables = _forget_left_makers  # type: ignore[method-assign]


# ---- uploads

MOST_UPLOADED_BYTES = 400 * 2**20
MOST_UPLOADED_FILES = 10_000
"""Limits of the files that one session keeps in memory."""
REFUSAL = (
    "Not all of your files were taken: the app keeps at most "
    f"{MOST_UPLOADED_BYTES // 2**20} MB and {MOST_UPLOADED_FILES:,} files of one visitor in "
    "memory. Remove some of them, or use the command line, which has no such limit."
)

_refused: set[str] = set()  # sessions with a file that was refused
_add_file = MemoryUploadedFileManager.add_file


def _add_file_within_limits(
    manager: MemoryUploadedFileManager, session_id: str, file: UploadedFileRec
) -> None:
    """Keep an uploaded file; refuse it if the session then had too many files or bytes.

    The browser shows no reason for the refusal, so the page is drawn again and says it.
    """
    others = {**manager.file_storage.get(session_id, {})}
    others.pop(file.file_id, None)  # the file replaces itself
    size = len(file.data) + sum(len(each.data) for each in others.values())
    if size <= MOST_UPLOADED_BYTES and len(others) < MOST_UPLOADED_FILES:
        return _add_file(manager, session_id, file)
    _refused.add(session_id)
    if has_server() and (session := Runtime.instance().get_app_session(session_id)):
        session.request_rerun(session._client_state)
    raise HTTPException(413, REFUSAL)


MemoryUploadedFileManager.add_file = _add_file_within_limits  # type: ignore[method-assign]


def take_refusal() -> bool:
    """Whether a file of this session was refused since the last call."""
    found = session_id() in _refused
    _refused.discard(session_id() or "")
    return found


def forget_uploads(file_ids: Iterable[str]) -> None:
    """Remove files of this session from the server, whose widgets are no longer on the page.

    Streamlit keeps such files until the session ends.
    """
    if has_server() and (session := session_id()):
        files: Any = Runtime.instance().uploaded_file_mgr
        for each in file_ids:
            files.remove_file(session, each)


# ---- settings


class SettingError(UserError, ValueError):
    """A variable of the environment has a value that a setting of Streamlit cannot have."""


def settings_of_environment() -> dict[str, Any]:
    """Read the settings of Streamlit from variables such as ``STREAMLIT_SERVER_ADDRESS``.

    ``streamlit run`` reads these variables, by Click; ``st.App`` reads those of secrets only. If
    Streamlit moves its table of settings, the tests of this function fail.

    Returns:
        Values by the names of the settings, for ``st.App.run``.

    Raises:
        SettingError: if a value cannot be converted to the type of its setting.
    """
    options = config._config_options_template.items()
    given = {
        key: option
        for key, option in options
        if not option.sensitive and os.environ.get(option.env_var)
    }
    return {key: _value(option) for key, option in given.items()}


def _value(option: Any) -> Any:
    text = os.environ[option.env_var]
    kind = click.types.convert_type(option.type)
    try:
        if option.multiple:
            return tuple(kind(each) for each in kind.split_envvar_value(text))
        return kind(text)
    except click.BadParameter as error:
        raise SettingError(f"{option.env_var} cannot be used: {error.message}") from error
