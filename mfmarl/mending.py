"""What a person does next where the disk refused a command: the command's own way to go on, or to write elsewhere."""

from __future__ import annotations

import errno

_FULL = (errno.ENOSPC, errno.EDQUOT)
_REFUSED = (errno.EROFS, errno.EACCES, errno.EPERM)
_RESUMES = {
    "train": "`mfmarl train --resume RUN`",
    "imitate": "`mfmarl imitate --resume DIR`",
    "solve": "`mfmarl solve --resume DIR`",
}
_ELSEWHERE = {
    **dict.fromkeys(("train", "study", "search"), "--runs-dir"),
    **dict.fromkeys(("solve", "imitate", "demonstrate", "export", "report", "references", "bounds", "submit"), "--out"),
    **dict.fromkeys(("imitate magail-coordination", "imitate magail-market", "imitate magail-zero-sum"), "--outdir"),
}


def mend(command: str, error: BaseException) -> str:
    """What to add to the error's line, "" where it is not of a full disk or a refused write.

    Args:
        command: its name, of one word or two.
    """
    number = _number(error)
    if number in _FULL:
        resume = _RESUMES.get(command)
        again = "give the same command again"
        return f"; then go on by {resume}, or where that is not there yet {again}" if resume else f"; then {again}"
    if number in _REFUSED and not str(error).startswith("cannot read"):
        flag = _ELSEWHERE.get(command)
        return f"; choose another folder with {flag}" if flag else "; make the folder writable, or copy it elsewhere"
    return ""


def _number(error: BaseException | None) -> int | None:
    """The operating system's number of what was refused, as far back as it came from."""
    while error is not None:
        if isinstance(error, OSError) and error.errno is not None:
            return error.errno
        error = error.__cause__
    return None
