package control

import (
	"errors"
	"fmt"
	"strings"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/artifact"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/store"
)

// maxLayers is how many layers a function may use.
const maxLayers = 5

// checkLayers refuses lists of layers that no function can have. Which layers
// there are is known inside the transaction: see useLayers.
func checkLayers(_ *function.Config, key function.Key, in *api.UpdateFunctionConfigurationRequest) error {
	if len(in.Layers) > maxLayers {
		return invalidParameter("Cannot reference more than 5 layers.")
	}
	for _, arn := range in.Layers {
		// arn:<partition>:lambda:<region>:...
		if f := strings.SplitN(arn, ":", 5); len(f) == 5 && f[3] != "" && f[3] != key.Region {
			return invalidParameter("Layers are not in the same region as the function. " +
				"Layers are expected to be in region " + key.Region + ".")
		}
	}
	seen := make(map[function.LayerKey]string)
	for _, arn := range in.Layers {
		layer, _, ok := function.ParseLayerVersionARN(arn)
		if !ok {
			return noLayerVersion(arn) // AWS's own, which this installation has none of
		}
		if other, twice := seen[layer]; twice {
			return invalidParameter("Two different versions of the same layer are not allowed to be referenced in the same function. " +
				other + " and " + arn + " are versions of the same layer.")
		}
		seen[layer] = arn
	}
	return nil
}

// useLayers gives v, a new record, the layer versions with these ARNs, which
// checkLayers has passed; with nil it keeps what it has. Those of other
// accounts are looked up there.
func useLayers(tx *store.Tx, v *function.Version, arns []string) error {
	if arns == nil {
		return nil
	}
	v.Config.Layers = nil
	for _, arn := range arns {
		layer, number, _ := function.ParseLayerVersionARN(arn)
		found, err := tx.LayerVersion(layer, number)
		if errors.Is(err, store.ErrNotFound) {
			return noLayerVersion(arn)
		}
		if err != nil {
			return err
		}
		v.Config.Layers = append(v.Config.Layers, function.Layer{
			ARN: found.ARN(), SHA256: found.Code.SHA256, Size: found.Code.Size, Unzipped: found.Code.Unzipped,
		})
	}
	return checkUnzipped(v)
}

// checkUnzipped refuses a version whose code and layers together are larger
// than the code alone may be.
func checkUnzipped(v *function.Version) error {
	var layers int64
	for _, l := range v.Config.Layers {
		layers += l.Unzipped
	}
	switch {
	case layers > artifact.DefaultUnzipped:
		return invalidParameter(fmt.Sprintf("Layers consume more than the available size of %d bytes", artifact.DefaultUnzipped))
	case layers > 0 && layers+v.Code.Unzipped > artifact.DefaultUnzipped:
		return invalidParameter(fmt.Sprintf("Function code combined with layers exceeds the maximum allowed size of %d bytes. "+
			"The actual size is %d bytes.", artifact.DefaultUnzipped, layers+v.Code.Unzipped))
	}
	return nil
}

func noLayerVersion(arn string) error {
	return invalidParameter("Layer version " + arn + " does not exist.")
}
