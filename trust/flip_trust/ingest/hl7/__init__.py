"""HL7 version 2: messages from a file or a live MLLP connection, journalled first and mapped to OMOP after."""
