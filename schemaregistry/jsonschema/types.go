package jsonschema

// DifferenceType is the kind of a difference, by Confluent's name for it.
type DifferenceType string

// The kinds of differences.
const (
	IDChanged          DifferenceType = "ID_CHANGED"
	DescriptionChanged DifferenceType = "DESCRIPTION_CHANGED"
	TitleChanged       DifferenceType = "TITLE_CHANGED"
	DefaultChanged     DifferenceType = "DEFAULT_CHANGED"
	SchemaAdded        DifferenceType = "SCHEMA_ADDED"
	SchemaRemoved      DifferenceType = "SCHEMA_REMOVED"
	TypeExtended       DifferenceType = "TYPE_EXTENDED"
	TypeNarrowed       DifferenceType = "TYPE_NARROWED"
	TypeChanged        DifferenceType = "TYPE_CHANGED"

	MaxLengthAdded     DifferenceType = "MAX_LENGTH_ADDED"
	MaxLengthRemoved   DifferenceType = "MAX_LENGTH_REMOVED"
	MaxLengthIncreased DifferenceType = "MAX_LENGTH_INCREASED"
	MaxLengthDecreased DifferenceType = "MAX_LENGTH_DECREASED"
	MinLengthAdded     DifferenceType = "MIN_LENGTH_ADDED"
	MinLengthRemoved   DifferenceType = "MIN_LENGTH_REMOVED"
	MinLengthIncreased DifferenceType = "MIN_LENGTH_INCREASED"
	MinLengthDecreased DifferenceType = "MIN_LENGTH_DECREASED"
	PatternAdded       DifferenceType = "PATTERN_ADDED"
	PatternRemoved     DifferenceType = "PATTERN_REMOVED"
	PatternChanged     DifferenceType = "PATTERN_CHANGED"

	MaximumAdded              DifferenceType = "MAXIMUM_ADDED"
	MaximumRemoved            DifferenceType = "MAXIMUM_REMOVED"
	MaximumIncreased          DifferenceType = "MAXIMUM_INCREASED"
	MaximumDecreased          DifferenceType = "MAXIMUM_DECREASED"
	MinimumAdded              DifferenceType = "MINIMUM_ADDED"
	MinimumRemoved            DifferenceType = "MINIMUM_REMOVED"
	MinimumIncreased          DifferenceType = "MINIMUM_INCREASED"
	MinimumDecreased          DifferenceType = "MINIMUM_DECREASED"
	ExclusiveMaximumAdded     DifferenceType = "EXCLUSIVE_MAXIMUM_ADDED"
	ExclusiveMaximumRemoved   DifferenceType = "EXCLUSIVE_MAXIMUM_REMOVED"
	ExclusiveMaximumIncreased DifferenceType = "EXCLUSIVE_MAXIMUM_INCREASED"
	ExclusiveMaximumDecreased DifferenceType = "EXCLUSIVE_MAXIMUM_DECREASED"
	ExclusiveMinimumAdded     DifferenceType = "EXCLUSIVE_MINIMUM_ADDED"
	ExclusiveMinimumRemoved   DifferenceType = "EXCLUSIVE_MINIMUM_REMOVED"
	ExclusiveMinimumIncreased DifferenceType = "EXCLUSIVE_MINIMUM_INCREASED"
	ExclusiveMinimumDecreased DifferenceType = "EXCLUSIVE_MINIMUM_DECREASED"
	MultipleOfAdded           DifferenceType = "MULTIPLE_OF_ADDED"
	MultipleOfRemoved         DifferenceType = "MULTIPLE_OF_REMOVED"
	MultipleOfExpanded        DifferenceType = "MULTIPLE_OF_EXPANDED"
	MultipleOfReduced         DifferenceType = "MULTIPLE_OF_REDUCED"
	MultipleOfChanged         DifferenceType = "MULTIPLE_OF_CHANGED"

	RequiredAttributeAdded                               DifferenceType = "REQUIRED_ATTRIBUTE_ADDED"
	RequiredAttributeWithDefaultAdded                    DifferenceType = "REQUIRED_ATTRIBUTE_WITH_DEFAULT_ADDED"
	RequiredAttributeRemoved                             DifferenceType = "REQUIRED_ATTRIBUTE_REMOVED"
	MaxPropertiesAdded                                   DifferenceType = "MAX_PROPERTIES_ADDED"
	MaxPropertiesRemoved                                 DifferenceType = "MAX_PROPERTIES_REMOVED"
	MaxPropertiesIncreased                               DifferenceType = "MAX_PROPERTIES_INCREASED"
	MaxPropertiesDecreased                               DifferenceType = "MAX_PROPERTIES_DECREASED"
	MinPropertiesAdded                                   DifferenceType = "MIN_PROPERTIES_ADDED"
	MinPropertiesRemoved                                 DifferenceType = "MIN_PROPERTIES_REMOVED"
	MinPropertiesIncreased                               DifferenceType = "MIN_PROPERTIES_INCREASED"
	MinPropertiesDecreased                               DifferenceType = "MIN_PROPERTIES_DECREASED"
	AdditionalPropertiesAdded                            DifferenceType = "ADDITIONAL_PROPERTIES_ADDED"
	AdditionalPropertiesRemoved                          DifferenceType = "ADDITIONAL_PROPERTIES_REMOVED"
	AdditionalPropertiesExtended                         DifferenceType = "ADDITIONAL_PROPERTIES_EXTENDED"
	AdditionalPropertiesNarrowed                         DifferenceType = "ADDITIONAL_PROPERTIES_NARROWED"
	DependencyArrayAdded                                 DifferenceType = "DEPENDENCY_ARRAY_ADDED"
	DependencyArrayRemoved                               DifferenceType = "DEPENDENCY_ARRAY_REMOVED"
	DependencyArrayExtended                              DifferenceType = "DEPENDENCY_ARRAY_EXTENDED"
	DependencyArrayNarrowed                              DifferenceType = "DEPENDENCY_ARRAY_NARROWED"
	DependencyArrayChanged                               DifferenceType = "DEPENDENCY_ARRAY_CHANGED"
	DependencySchemaAdded                                DifferenceType = "DEPENDENCY_SCHEMA_ADDED"
	DependencySchemaRemoved                              DifferenceType = "DEPENDENCY_SCHEMA_REMOVED"
	RequiredPropertyAddedToOpenContentModel              DifferenceType = "REQUIRED_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL"
	RequiredPropertyWithDefaultAddedToOpenContentModel   DifferenceType = "REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_OPEN_CONTENT_MODEL"
	OptionalPropertyAddedToOpenContentModel              DifferenceType = "OPTIONAL_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL"
	PropertyWithEmptySchemaAddedToOpenContentModel       DifferenceType = "PROPERTY_WITH_EMPTY_SCHEMA_ADDED_TO_OPEN_CONTENT_MODEL"
	RequiredPropertyAddedToUnopenContentModel            DifferenceType = "REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL"
	RequiredPropertyWithDefaultAddedToUnopenContentModel DifferenceType = "REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_UNOPEN_CONTENT_MODEL"
	OptionalPropertyAddedToUnopenContentModel            DifferenceType = "OPTIONAL_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL"
	PropertyRemovedFromOpenContentModel                  DifferenceType = "PROPERTY_REMOVED_FROM_OPEN_CONTENT_MODEL"
	PropertyWithFalseRemovedFromClosedContentModel       DifferenceType = "PROPERTY_WITH_FALSE_REMOVED_FROM_CLOSED_CONTENT_MODEL"
	PropertyRemovedFromClosedContentModel                DifferenceType = "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL"
	PropertyRemovedIsCoveredByPartiallyOpenContentModel  DifferenceType = "PROPERTY_REMOVED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL"
	PropertyRemovedNotCoveredByPartiallyOpenContentModel DifferenceType = "PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL"
	PropertyAddedIsCoveredByPartiallyOpenContentModel    DifferenceType = "PROPERTY_ADDED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL"
	PropertyAddedNotCoveredByPartiallyOpenContentModel   DifferenceType = "PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL"
	UnevaluatedPropertiesAdded                           DifferenceType = "UNEVALUATED_PROPERTIES_ADDED"
	UnevaluatedPropertiesRemoved                         DifferenceType = "UNEVALUATED_PROPERTIES_REMOVED"
	UnevaluatedPropertiesExtended                        DifferenceType = "UNEVALUATED_PROPERTIES_EXTENDED"
	UnevaluatedPropertiesNarrowed                        DifferenceType = "UNEVALUATED_PROPERTIES_NARROWED"

	MaxItemsAdded                                    DifferenceType = "MAX_ITEMS_ADDED"
	MaxItemsRemoved                                  DifferenceType = "MAX_ITEMS_REMOVED"
	MaxItemsIncreased                                DifferenceType = "MAX_ITEMS_INCREASED"
	MaxItemsDecreased                                DifferenceType = "MAX_ITEMS_DECREASED"
	MinItemsAdded                                    DifferenceType = "MIN_ITEMS_ADDED"
	MinItemsRemoved                                  DifferenceType = "MIN_ITEMS_REMOVED"
	MinItemsIncreased                                DifferenceType = "MIN_ITEMS_INCREASED"
	MinItemsDecreased                                DifferenceType = "MIN_ITEMS_DECREASED"
	MaxContainsAdded                                 DifferenceType = "MAX_CONTAINS_ADDED"
	MaxContainsRemoved                               DifferenceType = "MAX_CONTAINS_REMOVED"
	MaxContainsIncreased                             DifferenceType = "MAX_CONTAINS_INCREASED"
	MaxContainsDecreased                             DifferenceType = "MAX_CONTAINS_DECREASED"
	MinContainsAdded                                 DifferenceType = "MIN_CONTAINS_ADDED"
	MinContainsRemoved                               DifferenceType = "MIN_CONTAINS_REMOVED"
	MinContainsIncreased                             DifferenceType = "MIN_CONTAINS_INCREASED"
	MinContainsDecreased                             DifferenceType = "MIN_CONTAINS_DECREASED"
	UniqueItemsAdded                                 DifferenceType = "UNIQUE_ITEMS_ADDED"
	UniqueItemsRemoved                               DifferenceType = "UNIQUE_ITEMS_REMOVED"
	AdditionalItemsAdded                             DifferenceType = "ADDITIONAL_ITEMS_ADDED"
	AdditionalItemsRemoved                           DifferenceType = "ADDITIONAL_ITEMS_REMOVED"
	AdditionalItemsExtended                          DifferenceType = "ADDITIONAL_ITEMS_EXTENDED"
	AdditionalItemsNarrowed                          DifferenceType = "ADDITIONAL_ITEMS_NARROWED"
	UnevaluatedItemsAdded                            DifferenceType = "UNEVALUATED_ITEMS_ADDED"
	UnevaluatedItemsRemoved                          DifferenceType = "UNEVALUATED_ITEMS_REMOVED"
	UnevaluatedItemsExtended                         DifferenceType = "UNEVALUATED_ITEMS_EXTENDED"
	UnevaluatedItemsNarrowed                         DifferenceType = "UNEVALUATED_ITEMS_NARROWED"
	ItemAddedToOpenContentModel                      DifferenceType = "ITEM_ADDED_TO_OPEN_CONTENT_MODEL"
	ItemWithEmptySchemaAddedToOpenContentModel       DifferenceType = "ITEM_WITH_EMPTY_SCHEMA_ADDED_TO_OPEN_CONTENT_MODEL"
	ItemAddedToClosedContentModel                    DifferenceType = "ITEM_ADDED_TO_CLOSED_CONTENT_MODEL"
	ItemRemovedFromOpenContentModel                  DifferenceType = "ITEM_REMOVED_FROM_OPEN_CONTENT_MODEL"
	ItemWithFalseRemovedFromClosedContentModel       DifferenceType = "ITEM_WITH_FALSE_REMOVED_FROM_CLOSED_CONTENT_MODEL"
	ItemRemovedFromClosedContentModel                DifferenceType = "ITEM_REMOVED_FROM_CLOSED_CONTENT_MODEL"
	ItemRemovedIsCoveredByPartiallyOpenContentModel  DifferenceType = "ITEM_REMOVED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL"
	ItemRemovedNotCoveredByPartiallyOpenContentModel DifferenceType = "ITEM_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL"
	ItemAddedIsCoveredByPartiallyOpenContentModel    DifferenceType = "ITEM_ADDED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL"
	ItemAddedNotCoveredByPartiallyOpenContentModel   DifferenceType = "ITEM_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL"

	EnumArrayExtended DifferenceType = "ENUM_ARRAY_EXTENDED"
	EnumArrayNarrowed DifferenceType = "ENUM_ARRAY_NARROWED"
	EnumArrayChanged  DifferenceType = "ENUM_ARRAY_CHANGED"

	CombinedTypeExtended          DifferenceType = "COMBINED_TYPE_EXTENDED"
	CombinedTypeChanged           DifferenceType = "COMBINED_TYPE_CHANGED"
	ProductTypeExtended           DifferenceType = "PRODUCT_TYPE_EXTENDED"
	ProductTypeNarrowed           DifferenceType = "PRODUCT_TYPE_NARROWED"
	SumTypeExtended               DifferenceType = "SUM_TYPE_EXTENDED"
	SumTypeNarrowed               DifferenceType = "SUM_TYPE_NARROWED"
	CombinedTypeSubschemasChanged DifferenceType = "COMBINED_TYPE_SUBSCHEMAS_CHANGED"
	NotTypeExtended               DifferenceType = "NOT_TYPE_EXTENDED"
	NotTypeNarrowed               DifferenceType = "NOT_TYPE_NARROWED"
)

// allowed says under which policy new readers can live with a difference.
type allowed uint8

const (
	never   allowed = iota
	lenient         // under LENIENT
	always
)

// facts are what is known about a kind of differences: whether readers can live with it, and how a message puts it.
type facts struct {
	allowed allowed
	words   string
}

var differenceFacts = map[DifferenceType]facts{
	IDChanged:                               {allowed: always},
	DescriptionChanged:                      {allowed: always},
	TitleChanged:                            {allowed: always},
	DefaultChanged:                          {allowed: always},
	SchemaAdded:                             {allowed: never},
	SchemaRemoved:                           {allowed: always},
	TypeExtended:                            {allowed: always},
	TypeNarrowed:                            {allowed: never, words: wordsType},
	TypeChanged:                             {allowed: never, words: wordsType},
	MaxLengthAdded:                          {allowed: never, words: wordsKeyword},
	MaxLengthRemoved:                        {allowed: always},
	MaxLengthIncreased:                      {allowed: always},
	MaxLengthDecreased:                      {allowed: never, words: wordsLess},
	MinLengthAdded:                          {allowed: never, words: wordsKeyword},
	MinLengthRemoved:                        {allowed: always},
	MinLengthIncreased:                      {allowed: never, words: wordsMore},
	MinLengthDecreased:                      {allowed: always},
	PatternAdded:                            {allowed: never, words: wordsKeyword},
	PatternRemoved:                          {allowed: always},
	PatternChanged:                          {allowed: never, words: wordsValue},
	MaximumAdded:                            {allowed: never, words: wordsKeyword},
	MaximumRemoved:                          {allowed: always},
	MaximumIncreased:                        {allowed: always},
	MaximumDecreased:                        {allowed: never, words: wordsLess},
	MinimumAdded:                            {allowed: never, words: wordsKeyword},
	MinimumRemoved:                          {allowed: always},
	MinimumIncreased:                        {allowed: never, words: wordsMore},
	MinimumDecreased:                        {allowed: always},
	ExclusiveMaximumAdded:                   {allowed: never, words: wordsKeyword},
	ExclusiveMaximumRemoved:                 {allowed: always},
	ExclusiveMaximumIncreased:               {allowed: always},
	ExclusiveMaximumDecreased:               {allowed: never, words: wordsLess},
	ExclusiveMinimumAdded:                   {allowed: never, words: wordsKeyword},
	ExclusiveMinimumRemoved:                 {allowed: always},
	ExclusiveMinimumIncreased:               {allowed: never, words: wordsMore},
	ExclusiveMinimumDecreased:               {allowed: always},
	MultipleOfAdded:                         {allowed: never, words: wordsKeyword},
	MultipleOfRemoved:                       {allowed: always},
	MultipleOfExpanded:                      {allowed: never, words: wordsMore},
	MultipleOfReduced:                       {allowed: always},
	MultipleOfChanged:                       {allowed: never, words: wordsValue},
	RequiredAttributeAdded:                  {allowed: never, words: wordsKeyword},
	RequiredAttributeWithDefaultAdded:       {allowed: always},
	RequiredAttributeRemoved:                {allowed: always},
	MaxPropertiesAdded:                      {allowed: never, words: wordsKeyword},
	MaxPropertiesRemoved:                    {allowed: always},
	MaxPropertiesIncreased:                  {allowed: always},
	MaxPropertiesDecreased:                  {allowed: never, words: wordsLess},
	MinPropertiesAdded:                      {allowed: never, words: wordsKeyword},
	MinPropertiesRemoved:                    {allowed: always},
	MinPropertiesIncreased:                  {allowed: never, words: wordsMore},
	MinPropertiesDecreased:                  {allowed: always},
	AdditionalPropertiesAdded:               {allowed: always},
	AdditionalPropertiesRemoved:             {allowed: lenient, words: wordsKeyword},
	AdditionalPropertiesExtended:            {allowed: always},
	AdditionalPropertiesNarrowed:            {allowed: lenient, words: wordsFewer},
	DependencyArrayAdded:                    {allowed: never, words: wordsKeyword},
	DependencyArrayRemoved:                  {allowed: always},
	DependencyArrayExtended:                 {allowed: never, words: wordsMoreElements},
	DependencyArrayNarrowed:                 {allowed: always},
	DependencyArrayChanged:                  {allowed: never, words: wordsValue},
	DependencySchemaAdded:                   {allowed: never, words: wordsKeyword},
	DependencySchemaRemoved:                 {allowed: always},
	RequiredPropertyAddedToOpenContentModel: {allowed: never, words: wordsOpen},
	RequiredPropertyWithDefaultAddedToOpenContentModel:   {allowed: lenient, words: wordsOpen},
	OptionalPropertyAddedToOpenContentModel:              {allowed: lenient, words: wordsOpen},
	PropertyWithEmptySchemaAddedToOpenContentModel:       {allowed: always},
	RequiredPropertyAddedToUnopenContentModel:            {allowed: never, words: wordsUnopen},
	RequiredPropertyWithDefaultAddedToUnopenContentModel: {allowed: always},
	OptionalPropertyAddedToUnopenContentModel:            {allowed: always},
	PropertyRemovedFromOpenContentModel:                  {allowed: always},
	PropertyWithFalseRemovedFromClosedContentModel:       {allowed: always},
	PropertyRemovedFromClosedContentModel:                {allowed: lenient, words: wordsClosed},
	PropertyRemovedIsCoveredByPartiallyOpenContentModel:  {allowed: always},
	PropertyRemovedNotCoveredByPartiallyOpenContentModel: {allowed: lenient, words: wordsRemovedUncovered},
	PropertyAddedIsCoveredByPartiallyOpenContentModel:    {allowed: always},
	PropertyAddedNotCoveredByPartiallyOpenContentModel:   {allowed: lenient, words: wordsAddedUncovered},
	UnevaluatedPropertiesAdded:                           {allowed: always},
	UnevaluatedPropertiesRemoved:                         {allowed: lenient, words: wordsKeyword},
	UnevaluatedPropertiesExtended:                        {allowed: always},
	UnevaluatedPropertiesNarrowed:                        {allowed: lenient, words: wordsFewer},
	MaxItemsAdded:                                        {allowed: never, words: wordsKeyword},
	MaxItemsRemoved:                                      {allowed: always},
	MaxItemsIncreased:                                    {allowed: always},
	MaxItemsDecreased:                                    {allowed: never, words: wordsLess},
	MinItemsAdded:                                        {allowed: never, words: wordsKeyword},
	MinItemsRemoved:                                      {allowed: always},
	MinItemsIncreased:                                    {allowed: never, words: wordsMore},
	MinItemsDecreased:                                    {allowed: always},
	MaxContainsAdded:                                     {allowed: never, words: wordsKeyword},
	MaxContainsRemoved:                                   {allowed: always},
	MaxContainsIncreased:                                 {allowed: always},
	MaxContainsDecreased:                                 {allowed: never, words: wordsLess},
	MinContainsAdded:                                     {allowed: never, words: wordsKeyword},
	MinContainsRemoved:                                   {allowed: always},
	MinContainsIncreased:                                 {allowed: never, words: wordsMore},
	MinContainsDecreased:                                 {allowed: always},
	UniqueItemsAdded:                                     {allowed: never, words: wordsKeyword},
	UniqueItemsRemoved:                                   {allowed: always},
	AdditionalItemsAdded:                                 {allowed: always},
	AdditionalItemsRemoved:                               {allowed: never, words: wordsKeyword},
	AdditionalItemsExtended:                              {allowed: always},
	AdditionalItemsNarrowed:                              {allowed: never, words: wordsFewer},
	UnevaluatedItemsAdded:                                {allowed: always},
	UnevaluatedItemsRemoved:                              {allowed: never, words: wordsKeyword},
	UnevaluatedItemsExtended:                             {allowed: always},
	UnevaluatedItemsNarrowed:                             {allowed: never, words: wordsFewer},
	ItemAddedToOpenContentModel:                          {allowed: never, words: wordsOpen},
	ItemWithEmptySchemaAddedToOpenContentModel:           {allowed: always},
	ItemAddedToClosedContentModel:                        {allowed: always},
	ItemRemovedFromOpenContentModel:                      {allowed: always},
	ItemWithFalseRemovedFromClosedContentModel:           {allowed: always},
	ItemRemovedFromClosedContentModel:                    {allowed: never, words: wordsClosed},
	ItemRemovedIsCoveredByPartiallyOpenContentModel:      {allowed: always},
	ItemRemovedNotCoveredByPartiallyOpenContentModel:     {allowed: never, words: wordsRemovedUncovered},
	ItemAddedIsCoveredByPartiallyOpenContentModel:        {allowed: always},
	ItemAddedNotCoveredByPartiallyOpenContentModel:       {allowed: never, words: wordsAddedUncovered},
	EnumArrayExtended:                                    {allowed: always},
	EnumArrayNarrowed:                                    {allowed: never, words: wordsFewer},
	EnumArrayChanged:                                     {allowed: never, words: wordsType},
	CombinedTypeExtended:                                 {allowed: always},
	CombinedTypeChanged:                                  {allowed: never, words: wordsType},
	ProductTypeExtended:                                  {allowed: never, words: wordsMoreElements},
	ProductTypeNarrowed:                                  {allowed: always},
	SumTypeExtended:                                      {allowed: always, words: wordsMoreElements},
	SumTypeNarrowed:                                      {allowed: never, words: wordsFewer},
	CombinedTypeSubschemasChanged:                        {allowed: never, words: wordsType},
	NotTypeExtended:                                      {allowed: never, words: wordsMoreElements},
	NotTypeNarrowed:                                      {allowed: always},
}
