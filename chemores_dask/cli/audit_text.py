"""What an audit found, as lines for a terminal."""

from __future__ import annotations

from chemores_dask.cli.terminal import say
from chemores_dask.workflow.record import AuditRecord


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
    looked = sum(check.looked for check in found.checks)
    others = "; the others had nothing to look at" if looked < len(found.checks) else ""
    return f"{', '.join(found.counts) or 'nothing found'} by {looked} of {len(found.checks)} checks{others}."


def show_findings(found: AuditRecord) -> None:
    """Write all findings, errors first, and what could not be looked at.

    Parameters
    ----------
    found
        The audit.
    """
    for finding in found.findings:
        say(f"{finding.severity.upper()}  {finding.code}: {finding.text}", f"  {finding.mend}", "")
    blind = [f"{check.name} ({check.looked_at})" for check in found.checks if not check.looked]
    if blind:
        say(f"Not looked at: {'; '.join(blind)}.")
    say(f"Design audit: {counts_sentence(found)}", "")
