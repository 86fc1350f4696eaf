"""Parameters in the address of a call that changes something: one that it does not take may have been meant to hold it back."""

from starlette.requests import Request

from modeltraces.query.selection import SelectionError, no_such_parameter


def check_parameters(request: Request) -> None:
    """Raises SelectionError for one that the call does not take, or that is given twice."""
    known = [field.alias for field in request.scope["route"].dependant.query_params]
    for name in request.query_params:
        if name not in known:
            raise no_such_parameter(name, known)
        if len(values := request.query_params.getlist(name)) > 1:
            raise SelectionError(name, f"{name} was given {len(values)} times; give it once.")
