//! What must hold for any history: S1 to S13 and O1 to O6 as far as the state machine alone can show them.
