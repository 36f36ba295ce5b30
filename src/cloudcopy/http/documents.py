"""The documents of this version: each page as Markdown, and an index for programs. Open to all."""

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse

from cloudcopy.domain.errors import NotFound
from cloudcopy.http.callers import App, anyone
from cloudcopy.ports.documents import Documents
from cloudcopy.wire.v1 import Problem

router = APIRouter(tags=["Documents"])

_WHAT = (
    "> cloudcopy copies data between compute instances and cloud stores, and proves what it did. "
    "Ask it over HTTP, on the command line (`cloudcopy`), in Python, or through MCP."
)
_DECISIONS = "adr/"  # why it is so; who uses it need not know


class Markdown(PlainTextResponse):
    media_type = "text/markdown"


@router.get("/llms.txt", summary="index of the documents", response_class=PlainTextResponse)
@anyone
async def index(request: Request, app: App) -> PlainTextResponse:
    """Every page with its address, for language models and other programs (llmstxt.org)."""
    base = app.public_url or str(request.base_url).rstrip("/")
    return PlainTextResponse(_index(app.documents, base))


@router.get(
    "/docs/{name:path}",
    summary="a document",
    response_class=Markdown,
    responses={404: {"model": Problem, "description": "There is no such page; see /llms.txt."}},
)
@anyone
async def page(name: str, app: App) -> Markdown:
    """One page as Markdown, e.g. `/docs/cli.md`."""
    found = app.documents.get(name)
    if found is None:
        raise NotFound("document", name[:80], next=("See what there is: GET /llms.txt",))
    return Markdown(found.text)


def _index(documents: Documents, base: str) -> str:
    def listed(*, decisions: bool) -> list[str]:
        return [
            f"- [{each.title}]({base}/docs/{name})" + (f": {each.summary}" if each.summary else "")
            for name, each in documents.items()
            if name.startswith(_DECISIONS) is decisions
        ]

    lines = [
        "# cloudcopy",
        "",
        _WHAT,
        "",
        "## Documents",
        "",
        *listed(decisions=False),
        "",
        "## API",
        "",
        f"- [OpenAPI]({base}/openapi.json): every route, its bodies with examples, its errors.",
        f"- [Flags]({base}/v1/flags): what a copy accepts.",
        "",
        "## Optional",
        "",
        *listed(decisions=True),
    ]
    return "\n".join(lines) + "\n"
