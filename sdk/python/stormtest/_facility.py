"""What the configuration server knows of racks, slots and devices.

    GetServerField, GetStbField -> GET /api/v1/racks, /api/v1/duts      UpdateDutInstance -> POST /api/v1/inventory

A script under a rack has no token of its own: without `HEADEND_TOKEN` these calls find nothing there, and say so.
"""

from __future__ import absolute_import

from stormtest import _arguments, _text
from stormtest._state import STATE

# Keys of `GetStbField` and where they come from.
_STB_FIELDS = (("Id", "dut"), ("Name", "name"), ("Description", "description"), ("SerialNumber", "serial_number"),
               ("Model", "model_name"), ("ModelDescription", "model_description"), ("Manufacturer", "manufacturer"),
               ("HardwareVersion", "hardware_version"), ("Type", "type_name"), ("Broadcaster", "broadcaster"),
               ("SmartCardNumber", "smartcard_number"), ("IRDefinition", "ir_name"))
# Keys of `UpdateDutInstance` and the inventory's. A device's address stands in its description, as customers' tools
# have it.
_UPDATES = {"ipaddress": "description", "description": "description", "name": "name", "serialnumber": "serial_number",
            "model": "model", "irdefinition": "ir_set", "smartcardnumber": "smartcard"}


class _Facility(object):
    """A look at the lab: racks and devices as they were when it was taken."""

    def __init__(self, racks, duts):
        self.racks, self.duts = racks, duts

    def rack(self, name):
        """The rack of that name, letter case aside, or `None`."""
        wanted = _text.to_text(name).split(u":")[0].lower()
        return next((rack for rack in self.racks if _text.to_text(rack["rack"]).lower() == wanted), None)

    def dut_in(self, name, slot):
        """The device in a slot, or an empty one."""
        for one in (self.rack(name) or {"slots": []})["slots"]:
            if one["slot"] == int(slot):
                return next((dut for dut in self.duts if dut["dut"] == one["dut"]), {})
        return {}


def GetFacilityData(configServer=None):
    """A look at what a configuration server knows, for the calls below; `None` with an ERROR line if it cannot be had."""
    try:
        return _look(configServer)
    except (ValueError, KeyError) as error:
        _arguments.refused("Failure in GetFacilityData(%s)" % configServer, error)
        return None


def _look(server):
    link = _link(server)
    racks, duts = _json(link, "GET", "/racks")["racks"], _json(link, "GET", "/duts")["duts"]
    return _Facility(racks, duts)


def GetServerNames(facility):
    """Names of the racks."""
    return [rack["rack"] for rack in facility.racks] if facility else []


def GetServerField(facility, server, field="all"):
    """A dict of a rack: `Name`, `SlotCount`, `Slots`, `Online`; of one field only that one. `{}` for an unknown rack."""
    rack = facility.rack(server) if facility else None
    if rack is None:
        return {}
    slots = [one["slot"] for one in rack["slots"]]
    return _picked({"Name": rack["rack"], "SlotCount": len(slots), "Slots": slots, "Online": rack["online"]}, field)


def GetStbField(facility, server, slot, field="all"):
    """A dict of the device in a slot, `Id` 0 if there is none; of one field only that one."""
    dut = facility.dut_in(server, slot) if facility else {}
    values = dict((key, dut.get(source) or (0 if key == "Id" else "")) for key, source in _STB_FIELDS)
    return _picked(values, field)


def _picked(values, field):
    return values if field in (None, "", "all") else {field: values.get(field)}


def GetDutDetails(dutId):
    """A dict of a device with keys in small letters, such as `ipaddress`, `serialnumber`; `{}` if it is not known."""
    facility = GetFacilityData()
    dut = next((one for one in facility.duts if str(one["dut"]) == str(dutId)), None) if facility else None
    if dut is None:
        return {}
    details = dict((key.lower(), dut.get(source) or "") for key, source in _STB_FIELDS)
    details["ipaddress"] = dut.get("description") or ""
    return details


def UpdateDutInstance(dutId, **fields):
    """Change what is known of a device: `ipaddress`, `description`, `name`, `serialnumber`, `model`, ... Gives 1 or 0."""
    title = "Failure in UpdateDutInstance(%s)" % dutId
    try:
        unknown = sorted(name for name in fields if name.lower() not in _UPDATES)
        if unknown or not fields:
            raise ValueError("%s: known are %s" % (", ".join(unknown) or "no field", ", ".join(sorted(_UPDATES))))
        entry = dict((_UPDATES[name.lower()], _text.to_text(value)) for name, value in fields.items())
        entry["dut"] = int(dutId)
        _json(_link(None), "POST", "/inventory?dry_run=false", {"dut": [entry]})
        return 1
    except (TypeError, ValueError) as error:
        _arguments.refused(title, error)
        return 0


def UpdateDutInstanceInSlot(server, slot, **fields):
    """As `UpdateDutInstance`, of the device in a slot. Gives 1 or 0."""
    facility = GetFacilityData()
    dut = facility.dut_in(server, slot) if facility else {}
    if not dut:
        _arguments.refused("Failure in UpdateDutInstanceInSlot(%s, %s)" % (server, slot), "no device is known there")
        return 0
    return UpdateDutInstance(dut["dut"], **fields)


def GetReservedStatus(configServer, slotNo):
    """Who holds a slot: dicts with `Server`, `Slot`, `Reserved` (1 or 0) and `Comment`, of all racks that have that slot.

    A rack named `configServer` comes first. When the server cannot be asked: one dict, of what this script holds.
    """
    try:
        # Scripts name a rack here as often as the configuration server.
        facility = _look(configServer)
    except (ValueError, KeyError):
        facility = GetFacilityData()
    found = []
    for rack in facility.racks if facility else []:
        first = _text.to_text(rack["rack"]).lower() != _text.to_text(configServer).lower()
        found += [(first, {"Server": rack["rack"], "Slot": one["slot"], "Reserved": int(one["state"] != "free"),
                           "Comment": one["detail"]}) for one in rack["slots"] if one["slot"] == int(slotNo)]
    rows = [row for _, row in sorted(found, key=lambda pair: pair[0])]
    own = {"Server": "", "Slot": slotNo, "Reserved": int(slotNo in STATE.reserved), "Comment": "the server cannot be asked"}
    return rows or [own]


def CheckSlots():
    """The slots that this script holds, by its own numbers."""
    return list(STATE.reserved)


def _link(server):
    from stormtest import JobConfigurator
    named = server or STATE.master or JobConfigurator.default_server()
    return JobConfigurator.Link(JobConfigurator.Address(named))


def _json(link, method, path, body=None):
    """What a REST address answers, with native text. Raises `ValueError` that says why not."""
    from stormtest import JobConfigurator
    try:
        return _text.to_native(link.json(method, path, body))
    except JobConfigurator.Refusal as refusal:
        raise ValueError(refusal.detail)
    finally:
        link.close()
