#include "experiments/quantize/config_leaves.h"

#include "core/base/names.h"

namespace svdlab {

const Value* Leaves::find(const std::string& key) const {
  const auto found = index_.find(key);
  return found == index_.end() ? nullptr : &values_[found->second];
}

std::string Leaves::text(const std::string& key, const std::string& fallback) const {
  const Value* v = find(key);
  return v && v->kind == Value::Kind::kScalar ? v->scalar : fallback;
}

bool Leaves::boolean(const std::string& key, bool fallback) const {
  const Value* v = find(key);
  return v ? v->as_boolean(key) : fallback;
}

double Leaves::number(const std::string& key, double fallback) const {
  const Value* v = find(key);
  return v ? v->as_number(key) : fallback;
}

int64_t Leaves::integer(const std::string& key, int64_t fallback) const {
  const Value* v = find(key);
  return v ? v->as_integer(key) : fallback;
}

std::vector<std::string> Leaves::names(const std::string& key) const {
  std::vector<std::string> out;
  if (const Value* v = find(key))
    for (const Value& item : v->items) out.push_back(item.as_text(key));
  return out;
}

std::string Leaves::where(const std::string& key) const {
  const Value* v = find(key);
  return v ? v->where : std::string("the defaults");
}

void Leaves::note(const std::string& key, ImportedKey::Fate fate, const std::string& text) {
  const auto found = index_.find(key);
  if (found == index_.end() || noted_[found->second]) return;
  keys_[found->second].fate = fate;
  keys_[found->second].note = text;
  noted_[found->second] = true;
}

void Leaves::note_all(const std::string& pattern, ImportedKey::Fate fate, const std::string& text) {
  for (const ImportedKey& k : keys_)
    if (glob_match(pattern, k.key)) note(k.key, fate, text);
}

void Leaves::collect(const Value& v, const std::string& path) {
  if (v.kind == Value::Kind::kMap) {
    for (const Value::Member& m : v.members) collect(m.second, path.empty() ? m.first : path + "." + m.first);
    return;
  }
  const std::string shown = v.kind == Value::Kind::kScalar ? v.scalar : v.canonical_json();
  index_[path] = values_.size();
  values_.push_back(v);
  noted_.push_back(false);
  keys_.push_back({path, shown, ImportedKey::Fate::kNoCounterpart, "unknown here"});
}

}  // namespace svdlab
