"""The integrations, which options add to the application: each is a package, and is discovered by its location.

A package has a module `integration` with the hooks that it needs:

    def install(app: FastAPI, settings: Settings) -> None
        Adds middleware, routes or log sinks while the application is put together.

    def running(app: FastAPI, settings: Settings) -> AbstractAsyncContextManager[None]
        Entered before the first request and left after the last one.

Nothing but these hooks uses an integration: it may import everything, and nothing else imports it.
"""
