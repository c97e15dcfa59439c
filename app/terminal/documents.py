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

MAILS = """
query($first: Int!) {
  ops { deliveries(state: SENT, first: $first) { nodes { sentAt channel simulatedMessage { to subject text link } } } }
}
"""

OPEN_TRIP = """
{ customer { viewer { openTrip { id state awaits vehicle { vehicleType plate position { lat lon } } cursor } } } }
"""

PLACES = """
query($metroId: ID!, $search: String, $near: LatLngInput) {
  customer { places(metroId: $metroId, search: $search, near: $near, first: 20) { name position { lat lon } } }
}
"""

VEHICLES_NEAR = """
query($metroId: ID!, $near: LatLngInput!, $types: [VehicleType!]) {
  customer { vehicles(metroId: $metroId, near: $near, radiusMeters: 5000, types: $types, minimumBatteryPercent: 20, first: 5) {
    nodes { id vehicleType plate batteryPercent distanceMeters position { lat lon } }
  } }
}
"""

STATIONS_NEAR = """
query($metroId: ID!, $area: AreaInput!) {
  customer { stations(metroId: $metroId, area: $area, first: 20) {
    nodes { freeDocks distanceMeters station { name isChargingStation position { lat lon } } }
  } }
}
"""

RESERVE_VEHICLE = (
    """
mutation($input: ReserveVehicleInput!) { customer { reserveVehicle(input: $input) { __typename
  ... on ReserveVehicleSuccess { reservation { ...Shown } }
  ... on UserError { message }
} } }
"""
    + _RESERVATION
)

UNLOCK_VEHICLE = """
mutation($input: UnlockVehicleInput!) { customer { unlockVehicle(input: $input) { __typename
  ... on UnlockVehicleSuccess { trip { id } cursor } ... on UserError { message }
} } }
"""

PAUSE_TRIP = """
mutation($input: PauseTripInput!) { customer { pauseTrip(input: $input) { __typename ... on UserError { message } } } }
"""

RESUME_TRIP = """
mutation($input: ResumeTripInput!) { customer { resumeTrip(input: $input) { __typename ... on UserError { message } } } }
"""

RECORD_TRIP_POSITIONS = """
mutation($input: RecordTripPositionsInput!) { customer { recordTripPositions(input: $input) { __typename
  ... on RecordTripPositionsSuccess { trip { distanceMeters runningPrice { minorUnits currency } } }
  ... on UserError { message }
} } }
"""

REQUEST_PHOTO_UPLOAD = """
mutation($input: RequestPhotoUploadInput!) { customer { requestPhotoUpload(input: $input) { __typename
  ... on RequestPhotoUploadSuccess { upload { photoId url } } ... on UserError { message }
} } }
"""

RETURN_VEHICLE = """
mutation($input: ReturnVehicleInput!) { customer { returnVehicle(input: $input) { __typename
  ... on ReturnRefusedError { refusals nearest { lat lon } } ... on UserError { message }
} } }
"""

TRIP_CHANGES = """
subscription($after: String) {
  customerTripChanged(after: $after) {
    __typename
    ... on StreamEvent { cursor }
    ... on TimedEvent { at }
    ... on OwnTripChanged {
      tripId state awaits startedAt endedAt endCause receiptId refusals runningPrice { minorUnits currency }
    }
    ... on RunningPriceTicked { tripId ticked: runningPrice { minorUnits currency } }
    ... on ResyncRequired { reason }
  }
}
"""

RECEIPT = """
query($id: ID!) { customer { receipt(id: $id) {
  number lines { kind quantity amount { minorUnits currency } } total { minorUnits currency }
  vat { percent vat { minorUnits currency } } owed { minorUnits currency } isOverdue pdfUrl
} } }
"""
