"""lamb's Lambda runtime for Python 3.8 and later, standard library only.

A cold start pays for every import, so this package imports only what the
first event needs (_socket instead of socket and http.client, _json instead of
json, importlib);
logs, errors and traceback are loaded when something is logged or fails.
"""

# The descriptor for framed log events (see event.py), set before anything is
# logged.
log_fd = None
