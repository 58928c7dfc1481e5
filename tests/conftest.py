"""What every test may rely on."""

import signal
import threading

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    # A shell that starts the tests in the background ignores Ctrl-C for them, and programs they start inherit that:
    # those that are interrupted on purpose would not notice.
    signal.signal(signal.SIGINT, signal.default_int_handler)
