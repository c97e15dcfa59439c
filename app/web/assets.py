"""The page's assets over HTTP: kept for good by browsers, compressed when built and not per request."""

import os
from mimetypes import guess_type

from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from app.web.page import ASSETS_DIR

ASSETS_PATH = "/graphql/assets"

_HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",  # names carry a digest of the content
    "Vary": "Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
}


class Assets(StaticFiles):
    """Mount at ASSETS_PATH; answers 404 where the page was never built."""

    def __init__(self) -> None:
        super().__init__(directory=ASSETS_DIR, check_dir=False)

    async def check_config(self) -> None:
        """The folder may be absent, and may come later."""

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        packed = f"{full_path}.gz"
        if "gzip" not in Headers(scope=scope).get("accept-encoding", "") or not os.path.exists(packed):
            response = super().file_response(full_path, stat_result, scope, status_code)
            response.headers.update(_HEADERS)
            return response
        return FileResponse(
            packed,
            status_code=status_code,
            headers={**_HEADERS, "Content-Encoding": "gzip"},
            media_type=guess_type(full_path)[0],
        )
