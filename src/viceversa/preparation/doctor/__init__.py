"""The data-set doctor: what is wrong with the images before anything is trained on them.

>>> from viceversa.preparation.doctor import examine, to_text
>>> print(to_text(examine(Path("faces"))))  # doctest: +SKIP
"""

from viceversa.preparation.doctor.diagnosis import Diagnosis, examine
from viceversa.preparation.doctor.findings import Finding
from viceversa.preparation.doctor.report import to_html
from viceversa.preparation.doctor.summary import to_json
from viceversa.preparation.doctor.text import to_text

__all__ = ["Diagnosis", "Finding", "examine", "to_html", "to_json", "to_text"]
