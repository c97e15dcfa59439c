"""Operations that the journeys send, as a front end would write them."""

METROS = "{ customer { metros { id name isDefault cursor center { lat lon } } } }"
WATCHED_METROS = "{ ops { metros { id isDefault cursor } } }"
VIEWER = "{ customer { viewer { id email cursor } } }"
SIGN_IN = """mutation($input: SignInInput!) { customer { signIn(input: $input) {
  __typename ... on SignInSuccess { accessToken expiresInSeconds refreshToken } ... on UserError { message path } } } }"""
PLACES = """query($metroId: ID!, $search: String) {
  customer { places(metroId: $metroId, search: $search) { id name position { lat lon } } } }"""
VEHICLES = """query($metroId: ID!, $near: LatLngInput!, $types: [VehicleType!], $radiusMeters: Int! = 3000) {
  customer { vehicles(metroId: $metroId, near: $near, types: $types, radiusMeters: $radiusMeters, first: 100) {
    nodes { id vehicleType state plate batteryPercent distanceMeters } } } }"""
ERRORS = "... on UserError { message path } ... on InvalidInputError { issues { message path } }"
RESERVE = f"""mutation($input: ReserveVehicleInput!) {{ customer {{ reserveVehicle(input: $input) {{ __typename
  ... on ReserveVehicleSuccess {{ cursor reservation {{ id state startsAt endsAt vehicle {{ id plate }} }} }}
  ... on VehicleUnavailableError {{ alternatives {{ id vehicleType }} }} {ERRORS} }} }} }}"""
CANCEL = f"""mutation($input: CancelReservationInput!) {{ customer {{ cancelReservation(input: $input) {{ __typename
  ... on CancelReservationSuccess {{ reservation {{ id state }} }} {ERRORS} }} }} }}"""
OPS_RESERVE = f"""mutation($input: OpsReserveVehicleInput!) {{ ops {{ reserveVehicle(input: $input) {{ __typename
  ... on OpsReserveVehicleSuccess {{ reservation {{ id state customerId }} }}
  ... on VehicleUnavailableError {{ alternatives {{ id vehicleType }} }} {ERRORS} }} }} }}"""
OPS_CANCEL = f"""mutation($input: OpsCancelReservationInput!) {{ ops {{ cancelReservation(input: $input) {{ __typename
  ... on OpsCancelReservationSuccess {{ reservation {{ id state }} }} {ERRORS} }} }} }}"""
START_CONVERSATION = f"""mutation($input: StartConversationInput!) {{ customer {{ startConversation(input: $input) {{ __typename
  ... on StartConversationSuccess {{ conversation {{ id cursor }} }} {ERRORS} }} }} }}"""
SEND_MESSAGE = f"""mutation($input: SendMessageInput!) {{ customer {{ sendMessage(input: $input) {{ __typename
  ... on SendMessageSuccess {{ messageId turnId cursor }} {ERRORS} }} }} }}"""
DECIDE = f"""mutation($input: DecideProposalInput!) {{ customer {{ decideProposal(input: $input) {{ __typename
  ... on DecideProposalSuccess {{ proposalId state cursor reservation {{ id state vehicle {{ id }} }} }}
  ... on ProposalDecidedError {{ state }}
  ... on VehicleUnavailableError {{ alternatives {{ id vehicleType }} }} {ERRORS} }} }} }}"""
CHAT_EVENTS = """subscription($id: ID!, $after: String) { customerChatEvents(conversationId: $id, after: $after) {
  __typename
  ... on StreamEvent { cursor } ... on TimedEvent { at } ... on TurnEvent { turnId attempt }
  ... on MessageStored { text } ... on TextDelta { text } ... on TurnFinished { text } ... on TurnFailed { code }
  ... on ToolCallStarted { callId tool arguments } ... on ToolCallFinished { callId tool outcome }
  ... on ProposalDecided { proposalId state reservationId }
  ... on ProposalMade { proposal { id digest state expiresAt details { __typename ... on ProposedReservation {
    vehicleId vehicleType plate startsAt endsAt isEstimated distanceMeters durationSeconds walkMeters
    pickup { name position { lat lon } } destination { name position { lat lon } } price { minorUnits currency } } } } }
} }"""
DISPATCH_UPDATES = """subscription($id: ID!, $after: String) { opsDispatchUpdates(metroId: $id, after: $after) {
  __typename ... on StreamEvent { cursor } ... on TimedEvent { at }
  ... on ReservationChanged { reservationId customerId vehicleId plate state: reservationState startsAt }
  ... on VehicleChanged { vehicleId plate } } }"""
VEHICLES_NEARBY = """subscription($id: ID!, $box: BoxInput!, $after: String) {
  customerVehiclesNearby(metroId: $id, box: $box, after: $after) { __typename ... on StreamEvent { cursor }
    ... on VehiclesNearbyChanged { changes { __typename
      ... on NearbyVehicleChanged { vehicleId hasAppeared vehicleType plate batteryPercent currentRangeMeters
        position { lat lon } }
      ... on NearbyVehicleGone { vehicleId } } } } }"""
OWN_RESERVATIONS = """subscription($after: String) { customerReservationChanged(after: $after) {
  __typename ... on StreamEvent { cursor } ... on TimedEvent { at }
  ... on OwnReservationChanged { reservationId state vehicleId vehicleType startsAt endsAt lapsesAt
    quoted { minorUnits currency } } } }"""
REGISTER = f"""mutation($input: RegisterInput!) {{ customer {{ register(input: $input) {{ __typename {ERRORS} }} }} }}"""
VERIFY_EMAIL = """mutation($input: VerifyEmailInput!) { customer { verifyEmail(input: $input) {
  __typename ... on VerifyEmailSuccess { accessToken } ... on UserError { message path } } } }"""
DELIVERIES = """query($state: DeliveryState) { ops { deliveries(state: $state, first: 50) { nodes {
  kind channel state customerId simulatedMessage { to subject text link } } } } }"""
TOLD = "{ customer { viewer { unreadNotifications notifications { nodes { id kind title body readAt } } } } }"
MARK_READ = f"""mutation($input: MarkNotificationsReadInput!) {{ customer {{ markNotificationsRead(input: $input) {{ __typename
  ... on MarkNotificationsReadSuccess {{ unreadNotifications }} {ERRORS} }} }} }}"""
NOTIFICATIONS = """subscription($after: String) { customerNotifications(after: $after) { __typename
  ... on StreamEvent { cursor } ... on TimedEvent { at }
  ... on NotificationReceived { notification { id kind title body readAt } } } }"""
