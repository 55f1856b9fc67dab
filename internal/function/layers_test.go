package function

import "testing"

func TestParseLayerNames(t *testing.T) {
	caller := Scope{Partition: "aws", Account: "123456789012", Region: "us-east-1"}
	mine := LayerKey{"aws", "123456789012", "us-east-1", "lib"}
	other := LayerKey{"aws-cn", "210987654321", "cn-north-1", "lib_2-x"}
	for name, want := range map[string]LayerKey{
		"lib":       mine,
		mine.ARN():  mine,
		other.ARN(): other,
		"":          {}, "a b": {}, "a.b": {}, "lib:1": {}, ":": {},
		mine.VersionARN(1): {}, "arn:aws:lambda:us-east-1:123456789012:function:lib": {},
		"arn:aws:lambda:us-east-1:12345678901:layer:lib": {}, "arn:aws:lambda::123456789012:layer:lib": {},
		"arn:aws:lambda:us-east-1:123456789012:layer:": {}, "arn::lambda:us-east-1:123456789012:layer:lib": {},
	} {
		if got, ok := ParseLayerName(caller, name); ok != (want != LayerKey{}) || ok && got != want {
			t.Errorf("ParseLayerName(%q) = %+v, %v; want %+v", name, got, ok, want)
		}
	}
}

func TestParseLayerVersionARN(t *testing.T) {
	key := LayerKey{"aws", "123456789012", "us-east-1", "lib"}
	for arn, want := range map[string]int64{
		key.VersionARN(1): 1, key.VersionARN(9223372036854775807): 9223372036854775807, key.ARN() + ":0": 0, key.ARN() + ":007": 7,
		key.ARN(): -1, key.ARN() + ":": -1, key.ARN() + ":+1": -1, key.ARN() + ":-1": -1, key.ARN() + ":9223372036854775808": -1,
		key.ARN() + ":1:2": -1, "": -1, "1": -1, "lib:1": -1, "arn:aws:lambda:::awslayer:lib": -1,
	} {
		got, n, ok := ParseLayerVersionARN(arn)
		if ok != (want >= 0) || ok && (got != key || n != want) {
			t.Errorf("ParseLayerVersionARN(%q) = %+v, %d, %v; want version %d", arn, got, n, ok, want)
		}
	}
}
