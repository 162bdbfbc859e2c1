"""The service: scoring over HTTP, helpdesks' webhooks, feedback, and a page for agents.

`create_app` gives an ASGI application, `run` serves it. Everything that belongs to a tenant is
reached through the `TenantStore` of the key or the secret that a request was shown to hold.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import Annotated, Any, Final
from urllib.parse import parse_qs, urlsplit

import numpy as np
from numpy.typing import NDArray

from customer_nlp.accounts import Account, Contact
from customer_nlp.analyzer import Analyzer, load
from customer_nlp.codebook import ACTIONS, MAX_GRADE
from customer_nlp.errors import (
    CustomerNlpError,
    InvalidRecordError,
    MissingExtraError,
    ReplayError,
)
from customer_nlp.records import Thread
from customer_nlp.serve._settings import DEFAULT_TENANT, Settings, secrets_of, warn_of_strangers
from customer_nlp.serve._verify import Delivery, Secrets, handshake, verify

try:
    import uvicorn
    from fastapi import Depends, FastAPI, HTTPException, Query, Request, Security
    from fastapi.concurrency import run_in_threadpool
    from fastapi.exceptions import RequestValidationError
    from fastapi.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
    from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
    from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
    from pydantic import ValidationError
    from starlette.exceptions import HTTPException as StarletteHTTPException
except ImportError as error:
    raise MissingExtraError(error.name or "fastapi", "serve") from error

from customer_nlp.serve._bodies import AnalyzeIn, FeedbackIn, OutreachIn, ReviewIn, SignalsIn
from customer_nlp.serve._guard import Guard, Keys, Metrics, problem
from customer_nlp.serve._intake import Intake
from customer_nlp.serve._page import render, thread_path
from customer_nlp.serve._store import ApiKey, Arrival, NewJob, Store, TenantStore
from customer_nlp.serve._work import Workers
from customer_nlp.serve._writeback import WriteBack
from customer_nlp.timeline import public_holidays

__all__ = ["create_app", "run"]

_COOKIE: Final = "customer_nlp_session"
_SESSION_SECONDS: Final = 12 * 3600
_PAGE_SIZE: Final = 50
_FIELDS: Final = 20
_STATIC: Final = {"page.css": "text/css", "page.js": "text/javascript"}
_PROBLEM: Final = "application/problem+json"
#: Texts of so many characters are scored in some 10 ms: no hook waits long for them.
_INLINE_CHARS: Final = 65_536
#: A job holds the interpreter for milliseconds: an answer must not wait for its turn that long.
_SWITCH_SECONDS: Final = 0.0005
_PROBABILITY_WORDS: Final = np.array([b"%.4f," % (n / 10_000) for n in range(10_001)])
_GRADE_WORDS: Final = np.array([b"%d," % n for n in range(MAX_GRADE + 1)])


@dataclass(frozen=True, slots=True)
class _Service:
    """What requests are answered with."""

    settings: Settings
    store: Store
    analyzer: Analyzer
    keys: Keys
    intake: Intake
    workers: Workers
    metrics: Metrics
    secrets: Mapping[str, Secrets]


def create_app(
    settings: Settings | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    analyzer: Analyzer | None = None,
    store: Store | None = None,
    write_back: WriteBack | None = None,
) -> FastAPI:
    """Make the application.

    Parameters
    ----------
    settings : Settings, optional
        Read from the environment when missing.
    environment : mapping, optional
        In place of the process's: settings, secrets, tokens.
    analyzer : Analyzer, optional
        In place of the model that the settings name.
    store : Store, optional
        In place of the database that the settings name.
    write_back : WriteBack, optional
        In place of the file that the settings name.

    Returns
    -------
    FastAPI
        Takes up the queue when it starts and finishes the jobs in hand when it stops.

    Raises
    ------
    CustomerNlpError
        For settings, secrets or a model that cannot be.
    """
    known = os.environ if environment is None else environment
    settings = settings or Settings.from_environment(known)
    public_holidays(settings.holidays or None)  # an unknown country shows before we listen
    store = store or Store(settings.database)
    analyzer = analyzer or load(settings.model)
    metrics = Metrics()
    workers = Workers(
        store, analyzer,
        write_back or WriteBack.from_file(settings.write_back, environment=known), settings,
        count=lambda outcome: metrics.jobs.labels(outcome).inc(),
    )  # fmt: skip
    service = _Service(
        settings, store, analyzer, Keys(store, settings), Intake(store.take_in), workers, metrics,
        _all_secrets(known),
    )  # fmt: skip

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        workers.start()
        sys.setswitchinterval(_SWITCH_SECONDS)
        try:
            yield
        finally:
            await run_in_threadpool(workers.stop)
            store.close()

    app = FastAPI(
        title="customer_nlp", version="1", docs_url=None, redoc_url=None, lifespan=lifespan,
        description="Reads what customers write and says what to do next.",
    )  # fmt: skip
    app.state.service = service
    app.add_middleware(Guard, settings=settings, metrics=metrics)
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)
    for add in (_add_scoring, _add_hooks, _add_threads, _add_health, _add_page):
        add(app)
    return app


def _all_secrets(environment: Mapping[str, str]) -> dict[str, Secrets]:
    """Return the secrets of each tenant that has any."""
    begin = "CUSTOMER_NLP_SECRET_"
    names = [name.removeprefix(begin) for name in environment if name.startswith(begin)]
    tenants = {name.partition("__")[0].lower() for name in names if "__" in name}
    found = {name: secrets_of(name, environment=environment) for name in tenants | {DEFAULT_TENANT}}
    return {name: secrets for name, secrets in found.items() if secrets.of}


def run(settings: Settings) -> None:
    """Serve until the process is told to stop; requests and jobs in hand are finished."""
    warn_of_strangers(os.environ)
    stated = settings.to_environment()
    for name in stated:  # the settings given count, also those that came from a file
        os.environ.pop(f"{name}_FILE", None)
    os.environ |= stated  # processes that are started read it
    create_app(settings).state.service.store.close()  # what is wrong with it shows before we listen
    uvicorn.run(
        "customer_nlp.serve.app:create_app", factory=True, host=settings.host, port=settings.port,
        workers=settings.processes, timeout_graceful_shutdown=settings.shutdown_seconds,
        log_level="warning", access_log=False, server_header=False, lifespan="on",
    )  # fmt: skip


# -- errors -------------------------------------------------------------------------------------


def _answer(status: int, detail: str, headers: Mapping[str, str] | None = None, **more: Any
            ) -> Response:  # fmt: skip
    code, body = problem(status, detail, **more)
    return Response(body, code, dict(headers or {}), _PROBLEM)


async def _own_error(_: Request, error: Exception) -> Response:
    status = getattr(error, "status", 422 if isinstance(error, InvalidRecordError) else 500)
    field = getattr(error, "field", None) or getattr(error, "header", None)
    return _answer(status, str(error), **({"field": field} if field else {}))


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException)
    return _answer(error.status_code, str(error.detail), error.headers)


async def _body_error(_: Request, error: Exception) -> Response:
    """Say where and what kind, never what came."""
    assert isinstance(error, RequestValidationError)
    wrong = [
        {"field": ".".join(str(part) for part in one["loc"])[:200], "kind": one["type"]}
        for one in error.errors()[:20]
    ]
    return _answer(422, "The body is not as expected; see /openapi.json.", errors=wrong)


_HANDLERS: Final[Mapping[Any, Callable[..., Any]]] = {
    CustomerNlpError: _own_error,
    StarletteHTTPException: _http_error,
    RequestValidationError: _body_error,
}


# -- who calls ----------------------------------------------------------------------------------

_BEARER: Final = HTTPBearer(auto_error=False, description="An API key.")


def _service(request: Request) -> _Service:
    found: _Service = request.app.state.service
    return found


def _allowed(service: _Service, key: ApiKey | None, scope: str) -> TenantStore:
    if key is None:
        raise HTTPException(
            401, "This needs an API key that holds: Authorization: Bearer ….",
            {"WWW-Authenticate": "Bearer"},
        )  # fmt: skip
    if scope not in key.scopes:
        raise HTTPException(403, f"This needs a key with the scope {scope!r}.")
    if wait := service.keys.wait_seconds(key):
        raise HTTPException(
            429, "Too many requests with this key. Wait as Retry-After says.",
            {"Retry-After": str(int(wait) + 1)},
        )  # fmt: skip
    return service.store.of(key.tenant)


def _with_scope(scope: str) -> Any:
    async def tenant(
        request: Request,
        shown: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
    ) -> TenantStore:
        service, word = _service(request), shown.credentials if shown else ""
        key = service.keys.known(word)
        if key is None and word:  # the database is asked once in a while, off the loop
            key = await run_in_threadpool(service.keys.find, word)
        return _allowed(service, key, scope)

    return Depends(tenant)


_Scoring = Annotated[TenantStore, _with_scope("score")]
_Reading = Annotated[TenantStore, _with_scope("read")]
_Judging = Annotated[TenantStore, _with_scope("feedback")]


def _refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    schema = {"type": "object", "required": ["type", "title", "status", "detail"]}
    return {
        status: {"description": "Refused.", "content": {_PROBLEM: {"schema": schema}}}
        for status in statuses
    }


_KEYED: Final = _refusals(400, 401, 403, 413, 422, 429)


# -- scoring ------------------------------------------------------------------------------------


def _json(record: Any) -> Response:
    return Response(json.dumps(record, separators=(",", ":")), media_type="application/json")


def _table(analyzer: Analyzer, texts: list[str]) -> Response:
    """Score texts; numbers are written at a fixed width, a hundred rows in microseconds."""
    table = analyzer.signals(texts)
    head = json.dumps({"model": analyzer.model, "names": table.names}, separators=(",", ":"))
    myriadths = np.rint(table.probability.astype(float) * 10_000).astype(np.int64)
    body = b'%s,"probability":%s,"grade":%s}' % (
        head[:-1].encode(), _rows(myriadths, _PROBABILITY_WORDS), _rows(table.grade, _GRADE_WORDS)
    )  # fmt: skip
    return Response(body, media_type="application/json")


def _rows(values: NDArray[np.integer[Any]], words: NDArray[np.bytes_]) -> bytes:
    """Write a table as JSON: for each whole number its word, all as wide, a comma at the end."""
    width = values.shape[1] * words.itemsize
    rows = np.empty((len(values), width + 2), np.uint8)
    rows[:, 0] = ord("[")
    rows[:, 1:-1] = words[values].view(np.uint8).reshape(len(values), width)
    rows[:, -2:] = ord("]"), ord(",")  # in place of the last comma, and before the next row
    return b"[%s]" % rows.tobytes()[:-1]


def _threadlike(given: Any) -> Any:
    return given if isinstance(given, str) else Thread.from_dict(given.model_dump())


def _add_scoring(app: FastAPI) -> None:
    @app.post("/v1/analyze", responses=_KEYED, tags=["scoring"])
    def analyze(body: AnalyzeIn, request: Request, _: _Scoring) -> Response:
        """Say what a thread shows and what to do next."""
        service = _service(request)
        holidays = service.settings.holidays or None
        found = service.analyzer.analyze(_threadlike(body.thread), now=body.now, holidays=holidays)
        return _json(found.to_dict())

    @app.post("/v1/signals", responses=_KEYED, tags=["scoring"])
    async def signals(body: SignalsIn, request: Request, _: _Scoring) -> Response:
        """Score texts as customer messages: names, probabilities and grades."""
        service, texts = _service(request), body.texts
        if len(texts) > service.settings.texts_limit:
            raise HTTPException(413, f"At most {service.settings.texts_limit} texts at a time.")
        # A hop to another thread costs as much as scoring some dozens of texts does.
        if sum(map(len, texts)) <= _INLINE_CHARS:
            return _table(service.analyzer, texts)
        return await run_in_threadpool(_table, service.analyzer, texts)

    @app.post("/v1/review", responses=_KEYED, tags=["scoring"])
    def review(body: ReviewIn, request: Request, _: _Scoring) -> Response:
        """Check a reply before it is sent."""
        thread = None if body.thread is None else _threadlike(body.thread)
        return _json(_service(request).analyzer.review(body.draft, thread).to_dict())

    @app.post("/v1/outreach", responses=_KEYED, tags=["scoring"])
    def outreach(body: OutreachIn, request: Request, _: _Scoring) -> Response:
        """Say whether a planned contact should be made."""
        planned = Contact.from_dict(body.planned.model_dump())
        account = Account.from_dict(body.account.model_dump())
        service = _service(request)
        holidays = service.settings.holidays or None
        found = service.analyzer.check_outreach(planned, account, holidays=holidays)
        return _json(found.to_dict())


# -- webhooks -----------------------------------------------------------------------------------


def _add_hooks(app: FastAPI) -> None:
    @app.post(
        "/v1/hooks/{platform}", status_code=202, tags=["webhooks"],
        responses=_refusals(401, 404, 409, 413),
    )  # fmt: skip
    async def hook(platform: str, request: Request, tenant: str = DEFAULT_TENANT) -> Response:
        """Take in what a helpdesk sends: signed on the raw bytes, worked off from the queue."""
        service, body = _service(request), await request.body()
        secrets = _hook_secrets(service, tenant, platform)
        trial = handshake(platform, request.headers, body)
        if trial is None or trial.signed:
            delivery = _verified(service, request, platform, body, secrets)
        if trial is not None:
            return _json(trial.answer)
        job = NewJob("hook", platform, f"{platform}:{delivery.id}", body)
        if not await service.intake.take_in(Arrival(tenant, delivery.keys, job)):
            raise ReplayError("The delivery was taken in before.", again=True)
        service.workers.wake()
        return Response(status_code=202)

    @app.head("/v1/hooks/{platform}", include_in_schema=False)
    def tried(platform: str, request: Request, tenant: str = DEFAULT_TENANT) -> Response:
        """Answer a platform that tries the address."""
        _hook_secrets(_service(request), tenant, platform)
        return Response()


def _hook_secrets(service: _Service, tenant: str, platform: str) -> tuple[str, ...]:
    try:
        return service.secrets[tenant][platform]
    except (KeyError, InvalidRecordError):
        raise HTTPException(
            404, "No such platform is connected for this tenant: it has no secret."
        ) from None


def _verified(
    service: _Service, request: Request, platform: str, body: bytes, secrets: tuple[str, ...]
) -> Delivery:
    outside = service.settings.public_url.rstrip("/")
    query = f"?{request.url.query}" if request.url.query else ""
    return verify(
        platform,
        request.headers,
        body,
        secrets,
        now=datetime.fromtimestamp(service.store.clock(), UTC),
        # whether it is new, the queue says when it takes it in: asked before, two could pass
        seen=lambda _: False,
        url=f"{outside}{request.url.path}{query}" if outside else str(request.url),
    )


# -- threads and feedback -----------------------------------------------------------------------


def _add_threads(app: FastAPI) -> None:
    @app.get("/v1/threads", responses=_refusals(401, 403, 422, 429), tags=["threads"])
    def threads(
        store: _Reading,
        limit: Annotated[int, Query(ge=1, le=200)] = _PAGE_SIZE,
        offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    ) -> Response:
        """List threads with their analyses, those with most at stake first."""
        return _json(
            [
                {"id": kept.id, "stake": round(kept.stake, 3), "analysis": kept.analysis}
                for kept in store.threads(limit=limit, offset=offset)
            ]
        )

    @app.get("/v1/threads/{identifier:path}", responses=_refusals(401, 403, 404, 429),
             tags=["threads"])  # fmt: skip
    def thread(identifier: str, store: _Reading) -> Response:
        """Return one thread with its messages and what was said of it."""
        kept = store.thread(identifier)
        if kept is None:
            raise HTTPException(404, "There is no such thread.")
        return _json({"id": kept.id, "thread": kept.thread.to_dict(), "analysis": kept.analysis})

    @app.post("/v1/feedback", status_code=201, responses=_KEYED | _refusals(404),
              tags=["feedback"])  # fmt: skip
    def judge(body: FeedbackIn, store: _Judging) -> Response:
        """Keep whether a recommendation was right, and what was done."""
        _judge(store, body)
        return Response(status_code=201)

    @app.get("/v1/feedback", responses=_refusals(401, 403, 429), tags=["feedback"])
    def judgements(store: _Reading) -> Response:
        """Export feedback with its threads as JSON Lines, for retraining."""
        return StreamingResponse(_lines(store.feedback()), media_type="application/x-ndjson")


def _judge(store: TenantStore, body: FeedbackIn) -> None:
    kept = store.thread(body.thread)
    if kept is None:
        raise HTTPException(404, "There is no such thread.")
    record = body.model_dump()
    advice = kept.analysis["recommendation"]
    record |= {
        "thread_id": record.pop("thread"),
        "after": body.after or kept.analysis["after"],
        "model": kept.analysis["model"],
        "recommended": [one["action"] for one in advice["actions"]],
        "primary": advice["primary"],
    }
    store.add_feedback(body.thread, record)


def _lines(records: Iterable[dict[str, Any]]) -> Iterator[str]:
    for record in records:
        at = datetime.fromtimestamp(record["at"], UTC).isoformat().replace("+00:00", "Z")
        yield json.dumps(record | {"at": at}) + "\n"


# -- health -------------------------------------------------------------------------------------


def _add_health(app: FastAPI) -> None:
    @app.get("/healthz", tags=["health"])
    def alive() -> Response:
        """Say that the process answers."""
        return _json({"status": "ok"})

    @app.get("/readyz", responses=_refusals(503), tags=["health"])
    def ready(request: Request) -> Response:
        """Say whether the queue can be reached and is worked off."""
        service = _service(request)
        try:
            sizes = service.store.queue_sizes()
        except Exception:  # noqa: BLE001 - whatever it is, we are not ready
            raise HTTPException(503, "The database cannot be reached.") from None
        if not service.workers.alive:
            raise HTTPException(503, "A worker has stopped.")
        return _json({"status": "ok", "model": service.analyzer.model,
                      "queued": sizes.get("queued", 0), "dead": sizes.get("dead", 0)})  # fmt: skip

    @app.get("/metrics", tags=["health"])
    def metrics(request: Request) -> Response:
        """Tell Prometheus counts and times of this process."""
        return Response(
            generate_latest(_service(request).metrics.registry), media_type=CONTENT_TYPE_LATEST
        )


# -- the page -----------------------------------------------------------------------------------


class _SignedOutError(Exception):
    """There is no session."""


async def _to_login(_: Request, __: Exception) -> Response:
    return RedirectResponse("/login", 303)


def _session(request: Request) -> tuple[_Service, ApiKey]:
    service = _service(request)
    word = request.cookies.get(_COOKIE)
    key = service.keys.find(word) if word else None
    if key is None:
        raise _SignedOutError
    _allowed(service, key, "read")
    return service, key


_Session = Annotated[tuple[_Service, ApiKey], Depends(_session)]


def _same_origin(request: Request) -> None:
    """Refuse forms that another site sent, on top of the cookie's SameSite."""
    origin = request.headers.get("origin")
    if origin is not None and _place(origin) != request.headers.get("host"):
        raise HTTPException(403, "This form was sent from another site.")


def _place(address: str) -> str:
    try:
        return urlsplit(address).netloc
    except ValueError:  # such as half an IPv6 address: no place of ours
        return ""


async def _form(request: Request) -> dict[str, str]:
    _same_origin(request)
    body = (await request.body()).decode("utf-8", "replace")
    try:
        fields = parse_qs(body, max_num_fields=_FIELDS)
    except ValueError:
        raise HTTPException(400, f"At most {_FIELDS} fields are expected in a form.") from None
    return {name: values[0] for name, values in fields.items()}


_Form = Annotated[dict[str, str], Depends(_form)]


def _add_page(app: FastAPI) -> None:
    app.add_exception_handler(_SignedOutError, _to_login)
    page: dict[str, Any] = {"include_in_schema": False, "response_class": HTMLResponse}

    @app.get("/static/{name}", include_in_schema=False)
    def static(name: str) -> Response:
        if name not in _STATIC:
            raise HTTPException(404, "There is no such file.")
        content = (files("customer_nlp.serve") / "static" / name).read_bytes()
        return Response(content, media_type=_STATIC[name])

    @app.get("/login", **page)
    def login() -> str:
        return render("login", wrong=False)

    @app.post("/login", **page)
    def signed_in(request: Request, form: _Form) -> Response:
        service = _service(request)
        key = service.keys.find(form.get("key", "").strip())
        if key is None or "read" not in key.scopes:
            return HTMLResponse(render("login", wrong=True), 401)
        word = service.store.add_key(
            key.tenant, key.scopes & {"read", "feedback"}, seconds=_SESSION_SECONDS, parent=key.id
        )
        answer = RedirectResponse("/", 303)
        answer.set_cookie(_COOKIE, word, max_age=_SESSION_SECONDS, secure=True, httponly=True,
                          samesite="strict")  # fmt: skip
        return answer

    @app.post("/logout", **page)
    def signed_out(session: _Session, _: _Form) -> Response:
        service, key = session
        service.keys.forget(key)
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(_COOKIE)
        return answer

    @app.get("/", **page)
    def queue(session: _Session, offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0) -> str:
        service, key = session
        threads = service.store.of(key.tenant).threads(limit=_PAGE_SIZE, offset=offset)
        return render("queue", threads=threads, offset=offset, limit=_PAGE_SIZE, tenant=key.tenant)

    @app.post("/threads/{identifier:path}/feedback", **page)
    def judged(identifier: str, session: _Session, form: _Form) -> Response:
        service, key = session
        store = _allowed(service, key, "feedback")
        done = [name for name in ACTIONS if name == form.get("done")]
        try:
            body = FeedbackIn.model_validate(form | {"thread": identifier, "done": done})
        except ValidationError:
            raise HTTPException(422, "The verdict must be agree or disagree.") from None
        _judge(store, body)
        return RedirectResponse(thread_path(identifier), 303)

    @app.get("/threads/{identifier:path}", **page)
    def thread(identifier: str, session: _Session) -> Response:
        service, key = session
        store = service.store.of(key.tenant)
        kept = store.thread(identifier)
        if kept is None:
            return HTMLResponse(render("missing", tenant=key.tenant), 404)
        return HTMLResponse(
            render(
                "thread", kept=kept, tenant=key.tenant, feedback=list(store.feedback(identifier)),
                writes=store.writes(identifier), may_judge="feedback" in key.scopes,
            )
        )  # fmt: skip
