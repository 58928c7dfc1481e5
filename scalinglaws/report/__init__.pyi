from .analysis import Analysis as Analysis
from .analysis import analyse as analyse
from .analysis import paragraph as paragraph
from .diagram import write_diagram as write_diagram
from .page import as_json as as_json
from .page import render as render
from .page import write_report as write_report
