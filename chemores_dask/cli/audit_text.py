"""What an audit found, as lines for a terminal."""

from __future__ import annotations

from chemores_dask.cli.terminal import say
from chemores_dask.workflow.record import AuditRecord

NOT_APPLICABLE = "not_applicable"
SEVERITIES = ("error", "warning", "note")


def counts_sentence(found: AuditRecord) -> str:
    """How many findings there are of each severity.

    Parameters
    ----------
    found
        The audit.

    Returns
    -------
    One sentence.
    """
    looked = sum(check.status != NOT_APPLICABLE for check in found.checks)
    counts = [
        f"{number} {severity}{'' if number == 1 else 's'}"
        for severity in SEVERITIES
        if (number := found.count(severity))
    ]
    return f"{', '.join(counts) or 'nothing found'} by {looked} of {len(found.checks)} checks; the others had nothing to look at."


def show_findings(found: AuditRecord) -> None:
    """Write all findings, errors first, and what could not be looked at.

    Parameters
    ----------
    found
        The audit.
    """
    for finding in found.findings:
        say(f"{finding.severity.upper()}  {finding.code}: {finding.text}", f"  {finding.mend}", "")
    blind = [f"{check.name} ({check.looked_at})" for check in found.checks if check.status == NOT_APPLICABLE]
    if blind:
        say(f"Not looked at: {'; '.join(blind)}.")
    say(f"Design audit: {counts_sentence(found)}", "")
