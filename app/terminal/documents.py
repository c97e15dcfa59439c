"""The GraphQL documents that the terminal sends."""

from __future__ import annotations

METROS = "{ customer { metros { id name timezone isDefault } } }"

START_CONVERSATION = """
mutation($input: StartConversationInput!) { customer { startConversation(input: $input) { __typename
  ... on StartConversationSuccess { conversation { id cursor } } ... on UserError { message }
} } }
"""

SEND_MESSAGE = """
mutation($input: SendMessageInput!) { customer { sendMessage(input: $input) { __typename
  ... on SendMessageSuccess { turnId } ... on UserError { message }
} } }
"""

_RESERVATION = """
fragment Shown on Reservation {
  id state startsAt endsAt lapsesAt quoted { minorUnits currency }
  vehicle { vehicleType plate batteryPercent position { lat lon } station { name } }
}
"""

DECIDE_PROPOSAL = (
    """
mutation($input: DecideProposalInput!) { customer { decideProposal(input: $input) { __typename
  ... on DecideProposalSuccess { state reservation { ...Shown } }
  ... on ProposalDecidedError { message state }
  ... on UserError { message }
} } }
"""
    + _RESERVATION
)

RESERVATIONS = "{ customer { reservations(first: 50) { edges { node { ...Shown } } } } }" + _RESERVATION

CHAT_EVENTS = """
subscription($conversationId: ID!, $after: String) {
  customerChatEvents(conversationId: $conversationId, after: $after) {
    __typename
    ... on StreamEvent { cursor }
    ... on TurnEvent { turnId attempt }
    ... on TextDelta { text }
    ... on ToolCallStarted { callId tool arguments }
    ... on ToolCallFinished { callId tool outcome result }
    ... on ProposalMade { proposal { id digest expiresAt details { __typename
      ... on ProposedReservation {
        vehicleType plate batteryPercent pickup { name position { lat lon } } walkMeters walkSeconds
        startsAt endsAt destination { name position { lat lon } }
        distanceMeters durationSeconds isEstimated price { minorUnits currency }
      }
      ... on ProposedCancellation { vehicleType plate startsAt }
    } } }
    ... on ProposalDecided { proposalId state reservationId }
    ... on TurnFinished { text }
    ... on TurnFailed { code }
  }
}
"""

OPS_METROS = "{ ops { metros { id name timezone isDefault cursor } } }"

DISPATCH_UPDATES = """
subscription($metroId: ID!, $after: String) {
  opsDispatchUpdates(metroId: $metroId, after: $after) {
    __typename
    ... on StreamEvent { cursor }
    ... on TimedEvent { at }
    ... on ReservationChanged { reservationId customerId vehicleId vehicleType plate reservationState startsAt endsAt }
    ... on VehicleChanged { vehicleId vehicleType plate vehicleState batteryPercent odometerMeters position { lat lon } }
    ... on ResyncRequired { reason }
  }
}
"""
