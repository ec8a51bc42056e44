"""What scripts learn of racks and devices from a configuration server."""

from config_server import ConfigServer
from support import WithScripts

_RACKS = {"racks": [{"rack": name, "online": True, "draining": False, "slots": [
    {"slot": 1, "dut": dut, "dut_name": "box", "state": state, "detail": "job 5", "epoch": 1},
    {"slot": 2, "dut": None, "dut_name": None, "state": "free", "detail": "", "epoch": 0}]}
    for name, dut, state in (("rack0", None, "free"), ("rack1", 17, "leased"))]}
_DUTS = {"duts": [{"dut": 17, "name": u"b\u00f6x", "description": "10.0.0.7", "serial_number": "SN1", "model_name": "M",
                   "smartcard_number": "[\"1\"]", "ir_name": "keys"}]}


class Cases(WithScripts):
    """For one interpreter, `self.python`."""

    def test_racks_slots_and_devices(self):
        with ConfigServer() as farm:
            changes = []
            farm.rest.update({"racks": _RACKS, "duts": _DUTS, "inventory": lambda body: changes.append(body) or {"changes": []}})
            out = self.play(u"""
facility = S.GetFacilityData("%s")
out["names"] = S.GetServerNames(facility)
out["server"] = [S.GetServerField(facility, "RACK1:8001", "all")["SlotCount"], S.GetServerField(facility, "rack1", "SlotCount"), S.GetServerField(facility, "no")]
out["stb"] = S.GetStbField(facility, "rack1", 1, "all")
out["empty"] = [S.GetStbField(facility, "rack1", 2, "all")["Id"], S.GetStbField(facility, "no", 9, "Id")]
S.SetMasterConfigurationServer("%s")
out["dut"] = S.GetDutDetails(17)
out["nobody"] = S.GetDutDetails(99)
out["update"] = [S.UpdateDutInstance(17, ipaddress="10.0.0.8"), S.UpdateDutInstanceInSlot("rack1", 1, serialnumber="S2"),
                 S.UpdateDutInstance(17, colour="red"), S.UpdateDutInstanceInSlot("rack1", 2, name="x")]
out["status"] = S.GetReservedStatus("rack1", 1)
""" % (farm.address, farm.address))
        self.assertEqual(out["names"], ["rack0", "rack1"])
        self.assertEqual(out["server"], [2, {"SlotCount": 2}, {}])
        stb = out["stb"]
        self.assertEqual([stb[key] for key in ("Id", "Name", "SerialNumber", "Model", "SmartCardNumber", "IRDefinition")],
                         [17, u"b\u00f6x", "SN1", "M", "[\"1\"]", "keys"])
        self.assertEqual(out["empty"], [0, {"Id": 0}])
        self.assertEqual((out["dut"]["ipaddress"], out["dut"]["serialnumber"], out["nobody"]), ("10.0.0.7", "SN1", {}))
        self.assertEqual(out["update"], [1, 1, 0, 0])
        self.assertEqual(changes, [{"dut": [{"dut": 17, "description": "10.0.0.8"}]},
                                   {"dut": [{"dut": 17, "serial_number": "S2"}]}])
        self.assertEqual([(row["Server"], row["Reserved"]) for row in out["status"]], [("rack1", 1), ("rack0", 0)])

    def test_without_a_server_things_are_falsy(self):
        out = self.play(u"""
S.SetMasterConfigurationServer("127.0.0.1:1")
out["data"] = S.GetFacilityData("127.0.0.1:1")
out["rest"] = [S.GetServerNames(None), S.GetServerField(None, "a", "all"), S.GetStbField(None, "a", 1)["Id"], S.GetDutDetails(1), S.UpdateDutInstance(1, ipaddress="x")]
out["status"] = S.GetReservedStatus("127.0.0.1:1", 4)[0]["Reserved"]
""")
        self.assertEqual(out, {"data": None, "rest": [[], {}, 0, {}, 0], "status": 0})
        self.assertIn("nothing listens there", self.stderr)
