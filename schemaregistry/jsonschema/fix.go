package jsonschema

import "fmt"

// advice is what to do about a difference. The first words are for a new schema that reads old data, the second for an old one that reads what
// is written with the new one: only the new one can be changed. The place comes first, then the reader and the writer.
type advice struct{ newer, older string }

// both is advice that is the same for both.
func both(words string) advice { return advice{words, words} }

// Advice about keywords that limit a value.
var (
	limitAdded = advice{"leave the keyword at %[1]s out: older data was not held to it",
		"keep the keyword at %[1]s: who reads with the old schema refuses data that is not held to it"}
	limitTightened = advice{"keep the old limit at %[1]s, or take a wider one: older data may lie beyond the new one",
		"keep the old limit at %[1]s, or take a narrower one: who reads with the old schema refuses data beyond it"}
	limitChanged = advice{"keep the old value at %[1]s: older data was held to that one, and not to the new one",
		"keep the old value at %[1]s: who reads with the old schema holds data to that one"}
)

// Advice about properties and elements.
var (
	addedToOpen = both("data may have anything at %[1]s already, since the %[3]s schema has an open content model; set additionalProperties to false " +
		"there first, or use compatibilityPolicy LENIENT")
	requiredAdded = both("give the property at %[1]s a default, or do not require it")
	othersRemoved = both("data may have other properties at %[1]s already; keep additionalProperties, or use compatibilityPolicy LENIENT")
	unevaluated   = both("data may have other properties at %[1]s already; keep unevaluatedProperties, or use compatibilityPolicy LENIENT")
	moreElements  = both("data may have other elements at %[1]s already; keep what the %[3]s schema says about elements that it does not name")
	itemAdded     = both("data may have anything at %[1]s already, since the %[3]s schema does not limit the elements behind those that it names; limit them first " +
		"(items or additionalItems: false), or leave the element out")
	itemRemoved    = both("keep the element at %[1]s in the %[2]s schema, or let it have others than those that it names (no items or additionalItems: false)")
	uncovered      = both("keep the property or element at %[1]s in the %[2]s schema, or widen the schema of additional ones (or of patternProperties) so that it takes what is there")
	addedUncovered = both("data may have something else at %[1]s, since the %[3]s schema lets additional properties or elements be of another schema; " +
		"give it a schema that takes all of those, or use compatibilityPolicy LENIENT")
	typeKept = both("keep the type at %[1]s, or allow the %[3]s one too with a list of types or oneOf")
	allKept  = both("keep all values at %[1]s in the %[2]s schema")
	combined = advice{"keep the schemas at %[1]s, and add new ones beside them with anyOf or oneOf: older data is of one of those",
		"keep the schemas at %[1]s: who reads with the old schema knows only those"}
)

// fixes has advice for each kind of difference that readers can not live with under every policy.
var fixes = map[DifferenceType]advice{
	SchemaAdded:  {"leave the schema at %[1]s out: older data may have anything there", "keep the schema at %[1]s: who reads with the old schema holds data to it"},
	TypeNarrowed: typeKept, TypeChanged: typeKept,

	MaxLengthAdded: limitAdded, MinLengthAdded: limitAdded, PatternAdded: limitAdded, MaximumAdded: limitAdded, MinimumAdded: limitAdded,
	ExclusiveMaximumAdded: limitAdded, ExclusiveMinimumAdded: limitAdded, MultipleOfAdded: limitAdded, MaxPropertiesAdded: limitAdded,
	MinPropertiesAdded: limitAdded, MaxItemsAdded: limitAdded, MinItemsAdded: limitAdded, MaxContainsAdded: limitAdded,
	MinContainsAdded: limitAdded, UniqueItemsAdded: limitAdded, DependencyArrayAdded: limitAdded, DependencySchemaAdded: limitAdded,

	MaxLengthDecreased: limitTightened, MinLengthIncreased: limitTightened, MaximumDecreased: limitTightened, MinimumIncreased: limitTightened,
	ExclusiveMaximumDecreased: limitTightened, ExclusiveMinimumIncreased: limitTightened, MaxPropertiesDecreased: limitTightened,
	MinPropertiesIncreased: limitTightened, MaxItemsDecreased: limitTightened, MinItemsIncreased: limitTightened,
	MaxContainsDecreased: limitTightened, MinContainsIncreased: limitTightened, DependencyArrayExtended: limitTightened,
	MultipleOfExpanded: limitTightened,

	PatternChanged: limitChanged, MultipleOfChanged: limitChanged, DependencyArrayChanged: limitChanged,

	RequiredAttributeAdded: requiredAdded, RequiredPropertyAddedToUnopenContentModel: requiredAdded,
	RequiredPropertyAddedToOpenContentModel: both("data may lack the property at %[1]s or have anything there; make it optional and set " +
		"additionalProperties to false first"),
	OptionalPropertyAddedToOpenContentModel: addedToOpen, RequiredPropertyWithDefaultAddedToOpenContentModel: addedToOpen,
	PropertyRemovedFromClosedContentModel:                both("keep the property at %[1]s in the %[2]s schema, or let additionalProperties be true"),
	PropertyRemovedNotCoveredByPartiallyOpenContentModel: uncovered, PropertyAddedNotCoveredByPartiallyOpenContentModel: addedUncovered,
	AdditionalPropertiesRemoved: othersRemoved, AdditionalPropertiesNarrowed: othersRemoved,
	UnevaluatedPropertiesRemoved: unevaluated, UnevaluatedPropertiesNarrowed: unevaluated,

	AdditionalItemsRemoved: moreElements, AdditionalItemsNarrowed: moreElements, UnevaluatedItemsRemoved: moreElements,
	UnevaluatedItemsNarrowed: moreElements, ItemAddedToOpenContentModel: itemAdded, ItemRemovedFromClosedContentModel: itemRemoved,
	ItemRemovedNotCoveredByPartiallyOpenContentModel: uncovered, ItemAddedNotCoveredByPartiallyOpenContentModel: addedUncovered,

	EnumArrayNarrowed: allKept, EnumArrayChanged: allKept,
	CombinedTypeChanged: combined, CombinedTypeSubschemasChanged: combined, SumTypeNarrowed: combined,
	ProductTypeExtended: {"leave what was added to allOf at %[1]s out: older data was not held to it",
		"keep what was taken out of allOf at %[1]s: who reads with the old schema holds data to it"},
	NotTypeExtended: {"let what is forbidden at %[1]s forbid no more than before: older data may have what is forbidden now",
		"let what is forbidden at %[1]s forbid as much as before: who reads with the old schema refuses it"},
}

// Fix says what would help, "" where nothing is wrong.
func (d Difference) Fix(dir Direction) string {
	words := fixes[d.Type].newer
	if dir == OldReadsNew {
		words = fixes[d.Type].older
	}
	if words == "" {
		return ""
	}
	// Advice that does not speak of reader and writer has no use for them.
	return fmt.Sprintf(words+"%[4]s", d.Pointer, dir.reader(), dir.writer(), "")
}
