"""Names of the formats of log lines."""

#: Formats by the name that ``--log-format`` takes, with an example.
FORMATS = {
    "rfc3164": "<PRI>Nov 28 03:17:18 host tag: message",
    "rfc5424": "<PRI>1 2026-11-28T03:17:18Z host app procid msgid - message",
    "cisco": "seq: Nov 28 03:17:18.123: %FACILITY-SEVERITY-MNEMONIC: message, of one device",
    "plain": "2026-11-28 03:17:18 host message",
    "single": "2026-11-28 03:17:18 message; the file is named after the device",
    "json": "JSON lines or documents of Loki and Elasticsearch",
    "csv": "CSV with columns of time, device and message",
}
