"""Runs in a process of its own: compares our messages with the vendor's, field by field.

Writes every difference on a line of its own, then the number of messages compared. Names have to be equal but for
their case and underscores.
"""

import importlib
import sys
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from brokertape.gateway.messages import MESSAGES, ProtoId
from brokertape.gateway_pb.v1 import common_pb2, quote_pb2, session_pb2

# The vendor's module is named after the call.
VENDOR_MODULES = {
    ProtoId.INIT_CONNECT: "InitConnect",
    ProtoId.GET_GLOBAL_STATE: "GetGlobalState",
    ProtoId.NOTIFY: "Notify",
    ProtoId.KEEP_ALIVE: "KeepAlive",
    ProtoId.QOT_SUB: "Qot_Sub",
    ProtoId.QOT_GET_SUB_INFO: "Qot_GetSubInfo",
    ProtoId.QOT_UPDATE_BASIC_QOT: "Qot_UpdateBasicQot",
    ProtoId.QOT_GET_STATIC_INFO: "Qot_GetStaticInfo",
    ProtoId.QOT_GET_SECURITY_SNAPSHOT: "Qot_GetSecuritySnapshot",
    ProtoId.QOT_REQUEST_TRADE_DATE: "Qot_RequestTradeDate",
    ProtoId.QOT_GET_MARKET_STATE: "Qot_GetMarketState",
    ProtoId.QOT_GET_TOP_TEN_BUY_SELL_BROKERS: "Qot_GetTopTenBuySellBrokers",
}
# Either way it travels as a varint: where a value beyond the list may come, it stays a number with us.
INTEGERS_ON_THE_WIRE = {FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_ENUM}


class Comparison:
    """Walks both trees of messages together."""

    def __init__(self) -> None:
        self.differences: list[str] = []
        self.compared: set[str] = set()

    def message(self, ours: Any, theirs: Any) -> None:
        """Every field of ours has to be theirs, and every one they require has to be ours."""
        if ours.name in self.compared:
            return
        self.compared.add(ours.name)
        for field in ours.fields:
            if field.number in theirs.fields_by_number:
                self._field(field, theirs.fields_by_number[field.number])
            else:
                self._differ(field, "number", field.number, None)
        for field in theirs.fields:
            if field.is_required and field.number not in ours.fields_by_number:
                self.differences.append(f"{ours.name} lacks the required {field.name}")

    def _field(self, ours: Any, theirs: Any) -> None:
        self._same(ours, "name", ours.name.replace("_", ""), theirs.name.replace("_", "").lower())
        self._same(ours, "repeated", ours.is_repeated, theirs.is_repeated)
        self._same(ours, "required", ours.is_required, theirs.is_required)
        self._same(ours, "default", ours.default_value, theirs.default_value)
        if ours.type != theirs.type and {ours.type, theirs.type} != INTEGERS_ON_THE_WIRE:
            self._differ(ours, "type", ours.type, theirs.type)
        elif ours.message_type:
            self.message(ours.message_type, theirs.message_type)
        elif ours.enum_type:
            self._enum(ours, ours.enum_type, theirs.enum_type)

    def _enum(self, field: Any, ours: Any, theirs: Any) -> None:
        prefix = len(ours.name)
        names = [(value.number, value.name.replace("_", "").lower()[prefix:]) for value in ours.values]
        their_names = [(value.number, value.name.replace("_", "").lower()[prefix:]) for value in theirs.values]
        self._same(field, "values", names, their_names)

    def _same(self, field: Any, what: str, ours: Any, theirs: Any) -> None:
        if ours != theirs:
            self._differ(field, what, ours, theirs)

    def _differ(self, field: Any, what: str, ours: Any, theirs: Any) -> None:
        self.differences.append(f"{field.containing_type.name}.{field.name}: {what} {ours!r}, the vendor's {theirs!r}")


def main() -> None:
    """Compare every message that travels under a protocol id."""
    comparison = Comparison()
    for proto_id, pair in MESSAGES.items():
        vendor: Any = importlib.import_module(f"futu.common.pb.{VENDOR_MODULES[ProtoId(proto_id)]}_pb2")
        if pair.request is not None:
            comparison.message(pair.request.DESCRIPTOR, vendor.Request.DESCRIPTOR)
        comparison.message(pair.response.DESCRIPTOR, vendor.Response.DESCRIPTOR)
    files = (common_pb2.DESCRIPTOR, session_pb2.DESCRIPTOR, quote_pb2.DESCRIPTOR)
    ours = {name for file in files for name in file.message_types_by_name}
    for name in sorted(ours - comparison.compared):
        comparison.differences.append(f"{name} is used by no protocol id")
    sys.stdout.write("".join(f"{line}\n" for line in comparison.differences))
    sys.stdout.write(f"{len(comparison.compared)} messages compared\n")


if __name__ == "__main__":
    main()
