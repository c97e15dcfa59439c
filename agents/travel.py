"""The Travel Agent: instructions, tools and what it may do in which turn."""

from __future__ import annotations

from importlib.resources import files

from pydantic_ai import Agent, RunContext, Tool, ToolDefinition
from pydantic_ai.toolsets import FunctionToolset

from agents.deps import AgentDeps
from agents.tools import places, pricing, reservations, routes, vehicles
from domain.tables import TurnKind

TOOLS = (
    places.find_places,
    vehicles.find_vehicles,
    routes.plan_route,
    pricing.quote,
    reservations.reserve_vehicle,
    reservations.cancel_reservation,
    reservations.show_proposal,
    reservations.list_reservations,
)
TOOL_TIMEOUT_SECONDS = 20.0


def build_travel_agent() -> Agent[AgentDeps, str]:
    """One for the whole process; model and deps come with each run."""
    toolset = FunctionToolset[AgentDeps](
        [Tool(tool, docstring_format="google", require_parameter_descriptions=True) for tool in TOOLS],
        timeout=TOOL_TIMEOUT_SECONDS,
        max_retries=2,
    )
    return Agent(
        name="travel",
        deps_type=AgentDeps,
        output_type=str,
        instructions=files("agents").joinpath("prompts/travel.md").read_text(encoding="utf-8"),
        toolsets=[toolset.filtered(_is_on_offer)],
    )


def _is_on_offer(ctx: RunContext[AgentDeps], _: ToolDefinition) -> bool:
    """A report of a decision needs no tool: everything it says stands in the server's context."""
    return ctx.deps.turn.kind is not TurnKind.REPORT
